// SPDX-License-Identifier: Apache-2.0
#include "store/safetensors/header.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "base/try.h"
#include "store/safetensors/dtype.h"
#include "store/safetensors/json_reader.h"

namespace gpuio::store {
namespace {

using safetensors::TensorInfo;

class HeaderReader final : public JsonReader {
 public:
  HeaderReader(std::uint64_t data_begin, std::uint64_t data_bytes) : data_begin_(data_begin), data_bytes_(data_bytes) {}

  Header take() && { return std::move(header_); }
  /// The tensor that was being read when the reading ended; empty if none was.
  [[nodiscard]] const std::string& tensor_name() const noexcept { return tensor_.name; }

 private:
  enum class Expect {
    header,
    name,
    tensor,
    field,
    dtype,
    shape,
    dimension,
    offsets,
    offset,
    metadata,
    text_name,
    text
  };
  static std::string_view describe(Expect expect) noexcept;

  bool unexpected(std::string_view found) override {
    return fail(fmt::format("found {} instead of {}", found, describe(expect_)));
  }

  bool start_object(std::size_t) override;
  bool end_object() override;
  bool key(string_t& name) override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool string(string_t& text) override;
  bool number_unsigned(number_unsigned_t number) override;

  bool begin_entry(string_t& name);
  bool begin_field(const string_t& name);
  bool finish_tensor();
  bool finish_offsets();
  bool count_entry();

  const std::uint64_t data_begin_;
  const std::uint64_t data_bytes_;
  Header header_;
  Expect expect_ = Expect::header;
  std::size_t entries_ = 0;
  bool metadata_seen_ = false;
  std::string text_name_;

  TensorInfo tensor_;
  std::vector<std::uint64_t> offsets_;
  bool dtype_seen_ = false;
  bool shape_seen_ = false;
  bool offsets_seen_ = false;
};

std::string_view HeaderReader::describe(Expect expect) noexcept {
  switch (expect) {
    case Expect::tensor:
      return "an object with dtype, shape and data_offsets";
    case Expect::dtype:
      return "the name of a dtype";
    case Expect::shape:
      return "a list of dimensions";
    case Expect::dimension:
      return "a dimension";
    case Expect::offsets:
      return "a list of two offsets";
    case Expect::offset:
      return "an offset";
    case Expect::metadata:
      return "an object of strings as __metadata__";
    case Expect::text:
      return "a string as a value of __metadata__";
    default:
      return "an object of tensors";
  }
}

bool HeaderReader::start_object(std::size_t) {
  if (expect_ == Expect::header) {
    expect_ = Expect::name;
  } else if (expect_ == Expect::tensor) {
    expect_ = Expect::field;
  } else if (expect_ == Expect::metadata) {
    expect_ = Expect::text_name;
  } else {
    return unexpected("an object");
  }
  return true;
}

bool HeaderReader::end_object() {
  if (expect_ == Expect::field && !finish_tensor()) return false;
  expect_ = Expect::name;
  return true;
}

bool HeaderReader::key(string_t& name) {
  if (expect_ == Expect::name) return begin_entry(name);
  if (expect_ == Expect::field) return begin_field(name);
  text_name_ = std::move(name);
  expect_ = Expect::text;
  return count_entry();
}

bool HeaderReader::count_entry() {
  return ++entries_ <= kEntriesMax || fail(fmt::format("more than {} entries", kEntriesMax));
}

bool HeaderReader::begin_entry(string_t& name) {
  if (name == kMetadataKey) {
    if (std::exchange(metadata_seen_, true)) return fail("__metadata__ occurs twice");
    expect_ = Expect::metadata;
    return true;
  }
  tensor_ = {};
  tensor_.name = std::move(name);
  offsets_.clear();
  dtype_seen_ = shape_seen_ = offsets_seen_ = false;
  expect_ = Expect::tensor;
  if (tensor_.name.size() > kNameBytesMax) return fail(fmt::format("a name longer than {} bytes", kNameBytesMax));
  return count_entry();
}

bool HeaderReader::begin_field(const string_t& name) {
  const auto begin = [&](bool& seen, Expect value) {
    expect_ = value;
    return !std::exchange(seen, true) || fail(fmt::format("{} occurs twice", name));
  };
  if (name == "dtype") return begin(dtype_seen_, Expect::dtype);
  if (name == "shape") return begin(shape_seen_, Expect::shape);
  if (name == "data_offsets") return begin(offsets_seen_, Expect::offsets);
  return fail(Status(Code::corrupt, "a field that the format doesn't have").with("field", shown(name)));
}

bool HeaderReader::start_array(std::size_t) {
  if (expect_ == Expect::shape) {
    expect_ = Expect::dimension;
  } else if (expect_ == Expect::offsets) {
    expect_ = Expect::offset;
  } else {
    return unexpected("a list");
  }
  return true;
}

bool HeaderReader::end_array() {
  const bool offsets = expect_ == Expect::offset;
  expect_ = Expect::field;
  return !offsets || offsets_.size() == 2 || fail("data_offsets needs two offsets");
}

bool HeaderReader::string(string_t& text) {
  if (expect_ == Expect::text) {
    const bool added = header_.metadata.emplace(std::move(text_name_), std::move(text)).second;
    expect_ = Expect::text_name;
    return added || fail("a key of __metadata__ occurs twice");
  }
  if (expect_ != Expect::dtype) return unexpected("a string");
  const std::optional<safetensors::Dtype> dtype = parse_dtype(text);
  if (!dtype) return fail(Status(Code::corrupt, "unknown dtype").with("dtype", shown(text)));
  tensor_.dtype = *dtype;
  expect_ = Expect::field;
  return true;
}

bool HeaderReader::number_unsigned(number_unsigned_t number) {
  if (expect_ == Expect::dimension) {
    tensor_.shape.push_back(number);
    return tensor_.shape.size() <= kRankMax || fail(fmt::format("more than {} dimensions", kRankMax));
  }
  if (expect_ != Expect::offset) return unexpected("a number");
  offsets_.push_back(number);
  return offsets_.size() <= 2 || fail("data_offsets needs two offsets");
}

bool HeaderReader::finish_tensor() {
  if (!dtype_seen_) return fail("dtype is missing");
  if (!shape_seen_) return fail("shape is missing");
  if (!offsets_seen_) return fail("data_offsets is missing");
  if (!finish_offsets()) return false;
  header_.tensors.push_back(std::exchange(tensor_, {}));
  return true;
}

bool HeaderReader::finish_offsets() {
  const std::uint64_t begin = offsets_[0];
  const std::uint64_t end = offsets_[1];
  if (begin > end) return fail(fmt::format("data_offsets [{}, {}] end before they begin", begin, end));
  if (end > data_bytes_) {
    return fail(
        fmt::format("data_offsets [{}, {}] leave the file, which has {} bytes of data", begin, end, data_bytes_));
  }
  const Result<std::uint64_t> bytes = packed_bytes(tensor_.dtype, tensor_.shape);
  if (!bytes) return fail(bytes.error());
  if (*bytes != end - begin) {
    return fail(fmt::format("data_offsets hold {} bytes, dtype and shape need {}", end - begin, *bytes));
  }
  tensor_.extent = {data_begin_ + begin, end - begin};
  return true;
}

Status check_names(const std::vector<TensorInfo>& tensors) {
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const TensorInfo& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return {};
  return Status(Code::corrupt, "a name occurs twice").with("tensor", shown(*twice));
}

// Every byte of the data belongs to exactly one tensor; `tensors` are sorted by extent.
Status check_coverage(const std::vector<TensorInfo>& tensors, std::uint64_t data_begin, std::uint64_t data_end) {
  std::uint64_t covered = data_begin;
  const TensorInfo* before = nullptr;
  for (const TensorInfo& tensor : tensors) {
    if (tensor.extent.offset < covered) {
      return Status(Code::corrupt, "two tensors overlap")
          .with("tensor", shown(tensor.name))
          .with("other", shown(before->name));
    }
    if (tensor.extent.offset > covered) {
      return Status(Code::corrupt,
                    fmt::format("{} bytes before it belong to no tensor", tensor.extent.offset - covered))
          .with("tensor", shown(tensor.name));
    }
    covered += tensor.extent.length;
    before = &tensor;
  }
  if (covered == data_end) return {};
  return Status(Code::corrupt, fmt::format("the last {} bytes belong to no tensor", data_end - covered));
}

Result<Header> read_header(std::string_view json, std::uint64_t file_bytes) {
  if (!json.starts_with('{')) return Status(Code::corrupt, "the header doesn't begin with {");
  const std::uint64_t data_begin = kPrefixBytes + json.size();
  HeaderReader reader(data_begin, file_bytes - data_begin);
  if (Status status = reader.read(json); !status.ok()) {
    if (!reader.tensor_name().empty()) status.with("tensor", shown(reader.tensor_name()));
    return status;
  }
  Header header = std::move(reader).take();
  GPUIO_TRY(check_names(header.tensors));
  const auto key = [](const TensorInfo& t) {
    return std::tuple(t.extent.offset, t.extent.length, std::string_view(t.name));
  };
  const auto by_extent = [&](const TensorInfo& a, const TensorInfo& b) { return key(a) < key(b); };
  std::sort(header.tensors.begin(), header.tensors.end(), by_extent);
  GPUIO_TRY(check_coverage(header.tensors, data_begin, file_bytes));
  return header;
}

}  // namespace

Result<std::uint64_t> parse_header_length(const std::array<std::byte, kPrefixBytes>& prefix, std::uint64_t file_bytes,
                                          std::string_view file) {
  const auto corrupt = [file](std::string what) { return Status(Code::corrupt, std::move(what)).with("file", file); };
  if (file_bytes < kPrefixBytes) return corrupt(fmt::format("a file of {} bytes holds no header", file_bytes));
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kPrefixBytes; ++i) length |= std::to_integer<std::uint64_t>(prefix[i]) << (8 * i);
  if (length > kHeaderBytesMax) {
    return corrupt(fmt::format("a header of {} bytes is over the limit of {}", length, kHeaderBytesMax));
  }
  if (length > file_bytes - kPrefixBytes) {
    return corrupt(fmt::format("a header of {} bytes leaves the file of {} bytes", length, file_bytes));
  }
  return length;
}

Result<Header> parse_header(std::string_view json, std::uint64_t file_bytes, std::string_view file) {
  Result<Header> header = read_header(json, file_bytes);
  if (!header) return std::move(header).error().with("file", file);
  return header;
}

}  // namespace gpuio::store
