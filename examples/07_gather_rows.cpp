// SPDX-License-Identifier: Apache-2.0
// Rows of a table by their ids, in two ways: a Request that reads them from a file, and a Launch that gathers them from
// device memory on a stream.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "gpuio/gpuio.hpp"

namespace {

constexpr std::uint64_t kRows = 10'000;
constexpr std::uint64_t kRowBytes = 656;

// Every row begins with its number.
std::string make_sample() {
  const std::string path = std::filesystem::temp_directory_path() / "gpuio_example_07.bin";
  std::ofstream file(path, std::ios::binary);
  std::vector<char> row(kRowBytes);
  for (std::uint64_t i = 0; i < kRows; ++i) {
    std::memcpy(row.data(), &i, sizeof i);
    file.write(row.data(), static_cast<std::streamsize>(row.size()));
  }
  return path;
}

// Bytes of this program in a device's memory.
gpuio::Buffer upload(const gpuio::Context& io, const gpuio::Device& device, const void* bytes, std::uint64_t size) {
  const gpuio::Buffer staged = io.device("host").value().allocate(size).value();
  std::memcpy(staged.data(), bytes, size);
  gpuio::Buffer memory = device.allocate(size).value();
  gpuio::throw_if_failed(io.copy(staged, memory).value().wait());
  return memory;
}

gpuio::Pin pin(const gpuio::Slice& slice) { return slice.pin().value(); }

bool holds_rows(const gpuio::Context& io, const gpuio::Buffer& packed, const std::vector<std::uint64_t>& ids) {
  const gpuio::Buffer host = io.device("host").value().allocate(packed.size()).value();
  gpuio::throw_if_failed(io.copy(packed, host).value().wait());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (std::memcmp(host.data() + i * kRowBytes, &ids[i], sizeof ids[i]) != 0) return false;
  }
  return true;
}

}  // namespace

int main() try {
  const std::string path = make_sample();
  const gpuio::Context io = gpuio::Context::create().value();
  const gpuio::Device device = io.device("auto").value();
  const gpuio::Store file = io.open(path).value();
  std::vector<std::uint64_t> ids(2000);
  for (std::uint64_t i = 0; i < ids.size(); ++i) ids[i] = i * 7919 % kRows;

  const gpuio::Buffer from_file = device.allocate(ids.size() * kRowBytes).value();
  gpuio::Layout::Rows rows{.offset = 0, .row_bytes = kRowBytes, .stride_bytes = 0, .ids = ids};
  gpuio::throw_if_failed(io.read(file, gpuio::Layout::rows(std::move(rows)), from_file).value().wait());
  const bool read = holds_rows(io, from_file, ids);
  std::printf("Request: %zu rows from the file: %s\n", ids.size(), read ? "right" : "wrong");

  const gpuio::Buffer table = device.allocate(file.size()).value();
  gpuio::throw_if_failed(io.read(file, table).value().wait());
  const gpuio::Buffer device_ids = upload(io, device, ids.data(), ids.size() * sizeof ids[0]);
  const std::uint32_t zero = 0;
  const gpuio::Buffer status = upload(io, device, &zero, sizeof zero);
  const gpuio::Buffer packed = device.allocate(ids.size() * kRowBytes).value();

  // No host code runs between this and the kernel, so the addresses must hold.
  const gpuio::Pin table_pin = pin(table);
  const gpuio::Pin ids_pin = pin(device_ids);
  const gpuio::Pin packed_pin = pin(packed);
  const gpuio::Pin status_pin = pin(status);
  gpuio::RowLaunch gather;
  gather.table = &table_pin;
  gather.row_bytes = kRowBytes;
  gather.ids = &ids_pin;
  gather.id_type = gpuio::IdType::u64;
  gather.count = ids.size();
  gather.packed = &packed_pin;
  gather.status = &status_pin;
  const gpuio::Stream stream = device.create_stream().value();
  gpuio::throw_if_failed(gpuio::launch_gather(stream, gather));
  gpuio::throw_if_failed(stream.synchronize());
  const bool gathered = holds_rows(io, packed, ids);
  std::printf("Launch:  %zu rows on %s: %s\n", ids.size(), std::string(device.name()).c_str(),
              gathered ? "right" : "wrong");

  std::filesystem::remove(path);
  return read && gathered ? 0 : 1;
} catch (const gpuio::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
