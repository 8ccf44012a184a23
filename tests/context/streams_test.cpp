// SPDX-License-Identifier: Apache-2.0
// Requests in stream order, launches and graphs, through the public API on the host device.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "support/fake_context.h"

namespace gpuio::tests {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kBytes = 1U << 20U;

class Streams : public testing::Test {
 protected:
  Streams() : fake_(make_fake_context()), file_(fake_.engine->add("file", {.size_bytes = kBytes})) {
    store_ = fake_.context.open("fake://file").value();
    device_.emplace(fake_.context.device("host").value());
    buffer_ = device_->allocate(kBytes).value();
  }

  template <class T>
  Buffer upload(const std::vector<T>& values) {
    Buffer buffer = device_->allocate(values.size() * sizeof(T)).value();
    std::memcpy(buffer.data(), values.data(), values.size() * sizeof(T));
    return buffer;
  }

  FakeContext fake_;
  std::shared_ptr<FakeStore> file_;
  Store store_;
  std::optional<Device> device_;
  Buffer buffer_;
};

TEST_F(Streams, LaterWorkOnTheStreamWaitsForTheRequestAndTheHostForNothing) {
  const Stream stream = device_->create_stream().value();
  file_->hold();
  TransferOptions options;
  options.stream = &stream;
  const Request request = fake_.context.read(store_, buffer_, options).value();
  const Event after = stream.record().value();
  std::this_thread::sleep_for(10ms);
  EXPECT_FALSE(after.finished().value()) << "the read is still held";
  file_->release();
  EXPECT_TRUE(after.synchronize().ok());
  EXPECT_EQ(std::memcmp(buffer_.data(), file_->bytes().data(), kBytes), 0);
  EXPECT_TRUE(request.wait().ok());
}

TEST_F(Streams, ARequestStartsAfterTheWorkThatWasQueuedBefore) {
  const Stream first = device_->create_stream().value();
  const Stream second = device_->create_stream().value();
  file_->hold();
  TransferOptions options;
  options.stream = &first;
  const Request held = fake_.context.read(store_, buffer_, options).value();
  while (file_->held() == 0) std::this_thread::yield();
  EXPECT_TRUE(second.wait(first.record().value()).ok());
  const Buffer other = device_->allocate(kBytes).value();
  options.stream = &second;
  const Request later = fake_.context.read(store_, other, options).value();
  // Whatever is queued behind both has passed them once it is done.
  (void)fake_.engine->add("free", {.size_bytes = kBytes});
  const Buffer aside = device_->allocate(kBytes).value();
  EXPECT_TRUE(fake_.context.read(fake_.context.open("fake://free").value(), aside).value().wait(60s).ok());
  EXPECT_EQ(file_->held(), 1U) << "the second read has not reached the store";
  file_->release();
  EXPECT_TRUE(later.wait(60s).ok());
  EXPECT_TRUE(held.wait(60s).ok());
}

TEST_F(Streams, AFailedRequestLetsItsStreamPass) {
  file_->set_script([](const spi::Run&, const spi::Segment&) { return Status::from_errno(EIO, "planted"); });
  const Stream stream = device_->create_stream().value();
  TransferOptions options;
  options.stream = &stream;
  const Request request = fake_.context.read(store_, buffer_, options).value();
  EXPECT_EQ(request.wait().code(), Code::io_error);
  EXPECT_TRUE(stream.synchronize().ok());
}

TEST_F(Streams, ACancelledRequestLetsItsStreamPass) {
  const Stream stream = device_->create_stream().value();
  file_->hold();
  TransferOptions options;
  options.stream = &stream;
  const Request request = fake_.context.read(store_, buffer_, options).value();
  std::thread releaser([&] {
    std::this_thread::sleep_for(5ms);
    file_->release();
  });
  request.cancel();
  releaser.join();
  EXPECT_TRUE(stream.synchronize().ok());
}

TEST_F(Streams, GatherAndScatterMoveRowsAlsoFromAGraph) {
  constexpr std::uint64_t kRow = 264;
  constexpr std::uint32_t kRows = 1000;
  std::vector<std::uint8_t> table(kRow * kRows);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::uint8_t>(i * 31 + i / kRow);
  const std::vector<std::uint32_t> ids = {999, 0, 17, 17, 500};
  const Buffer table_buffer = upload(table);
  const Buffer id_buffer = upload(ids);
  const Buffer packed = device_->allocate(ids.size() * kRow).value();
  const Buffer status = upload(std::vector<std::uint32_t>{0});
  const Pin table_pin = Slice(table_buffer).pin().value();
  const Pin id_pin = Slice(id_buffer).pin().value();
  const Pin packed_pin = Slice(packed).pin().value();
  const Pin status_pin = Slice(status).pin().value();
  const RowLaunch rows{.table = &table_pin,
                       .row_bytes = kRow,
                       .stride_bytes = 0,
                       .ids = &id_pin,
                       .id_type = IdType::u32,
                       .count = ids.size(),
                       .packed = &packed_pin,
                       .status = &status_pin};

  const Stream stream = device_->create_stream().value();
  ASSERT_TRUE(stream.begin_capture().ok());
  ASSERT_TRUE(launch_gather(stream, rows).ok());
  const Graph graph = stream.end_capture().value();
  for (int round = 0; round < 3; ++round) {
    std::memset(packed.data(), 0, packed.size());
    ASSERT_TRUE(graph.launch(stream).ok());
    ASSERT_TRUE(stream.synchronize().ok());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      ASSERT_EQ(std::memcmp(packed.data() + i * kRow, table.data() + ids[i] * kRow, kRow), 0) << i;
    }
  }
  std::memset(packed.data(), 0x77, packed.size());
  ASSERT_TRUE(launch_scatter(stream, rows).ok());
  ASSERT_TRUE(stream.synchronize().ok());
  EXPECT_EQ(table_buffer.data()[500 * kRow], std::byte{0x77});
  EXPECT_EQ(table_buffer.data()[501 * kRow], static_cast<std::byte>(table[501 * kRow]));
}

TEST_F(Streams, AnIdOutsideTheTableIsInTheStatusWord) {
  const Buffer table = device_->allocate(10 * 16).value();
  const Buffer ids = upload(std::vector<std::uint64_t>{3, 10, 4});
  const Buffer packed = device_->allocate(3 * 16).value();
  const Buffer status = upload(std::vector<std::uint32_t>{0});
  const Pin pins[] = {Slice(table).pin().value(), Slice(ids).pin().value(), Slice(packed).pin().value(),
                      Slice(status).pin().value()};
  const RowLaunch rows{.table = &pins[0],
                       .row_bytes = 16,
                       .stride_bytes = 0,
                       .ids = &pins[1],
                       .id_type = IdType::u64,
                       .count = 3,
                       .packed = &pins[2],
                       .status = &pins[3]};
  const Stream stream = device_->create_stream().value();
  ASSERT_TRUE(launch_gather(stream, rows).ok());
  ASSERT_TRUE(stream.synchronize().ok());
  std::uint32_t word = 0;
  std::memcpy(&word, status.data(), sizeof word);
  EXPECT_EQ(word, 2U);
}

TEST_F(Streams, LaunchesNameTheFieldThatIsWrong) {
  const Buffer table = device_->allocate(160).value();
  const Pin pin = Slice(table).pin().value();
  const Stream stream = device_->create_stream().value();
  RowLaunch rows{.table = &pin,
                 .row_bytes = 16,
                 .stride_bytes = 8,
                 .ids = &pin,
                 .id_type = IdType::u32,
                 .count = 1,
                 .packed = &pin,
                 .status = &pin};
  EXPECT_NE(launch_gather(stream, rows).message().find("stride_bytes"), std::string_view::npos);
  rows.stride_bytes = 16;
  rows.status = nullptr;
  EXPECT_NE(launch_gather(stream, rows).message().find("status"), std::string_view::npos);
  rows.status = &pin;
  rows.count = 1000;
  EXPECT_NE(launch_gather(stream, rows).message().find("ids"), std::string_view::npos);
}

TEST(ManyDevices, SixteenHostDevicesInOneContextCopyBetweenEachOther) {
  FakeContext fake = make_fake_context({{"device.host_count", "16"}});
  std::vector<Buffer> buffers;
  for (const std::string& name : fake.context.device_names()) {
    if (!name.starts_with("host")) continue;
    buffers.push_back(fake.context.device(name).value().allocate(kBytes).value());
    std::memset(buffers.back().data(), static_cast<int>(buffers.size()), kBytes);
  }
  ASSERT_EQ(buffers.size(), 16U);
  for (std::size_t from = 0; from < 16; ++from) {
    const std::size_t to = (from + 5) % 16;
    ASSERT_TRUE(fake.context.copy(buffers[from], buffers[to]).value().wait().ok());
    EXPECT_EQ(buffers[to].data()[kBytes - 1], buffers[from].data()[0]);
  }
}

}  // namespace
}  // namespace gpuio::tests
