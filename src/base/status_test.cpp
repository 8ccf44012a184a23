// SPDX-License-Identifier: Apache-2.0
#include "gpuio/status.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>

#include "base/try.h"
#include "gpuio/result.hpp"

namespace gpuio {
namespace {

TEST(Status, DefaultIsOkAndSaysSo) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.to_string(), "ok");
  EXPECT_EQ(status.message(), "");
}

TEST(Status, LineNamesCodeErrnoFieldsAndRetry) {
  const Status status = Status::from_errno(EIO, "read failed").with("store", "/data/a.bin").with("offset", 4194304);
  EXPECT_EQ(status.to_string(), "io_error(EIO): read failed store=/data/a.bin offset=4194304 retryable=no");
  EXPECT_EQ(status.message(), "read failed store=/data/a.bin offset=4194304");
  EXPECT_EQ(status.native(), EIO);
}

TEST(Status, LineNamesWhatDiffersFromTheUsual) {
  const Status status = Status(Code::device_lost, "gone")
                            .with_native(719)
                            .with_scope(FailureScope::device)
                            .with_effect(Effect::unknown)
                            .with_data_loss(true)
                            .with_retryable(true);
  EXPECT_EQ(status.to_string(), "device_lost(719): gone scope=device effect=unknown data_loss=yes retryable=yes");
}

TEST(Status, FieldsWithSpacesAndControlCharactersStayOneLine) {
  const Status status = Status(Code::not_found, "no such file").with("store", "/a b\"\n.bin").with("device", "");
  EXPECT_EQ(status.message(), "no such file store=\"/a b\\\"\\x0a.bin\" device=\"\"");
}

TEST(Status, AddingFieldsToACopyLeavesTheOriginal) {
  const Status original(Code::corrupt, "bad header");
  Status copy = original;
  copy.with("offset", 8);
  EXPECT_EQ(original.message(), "bad header");
  EXPECT_EQ(copy.message(), "bad header offset=8");
}

TEST(Status, FieldsOnAnOkStatusAreDropped) {
  EXPECT_EQ(Status().with("store", "a").to_string(), "ok");
  EXPECT_EQ(Status(Code::ok, "ignored").message(), "");
}

TEST(Status, ErrnoDecidesCodeAndRetry) {
  EXPECT_EQ(Status::from_errno(ENOENT, "").code(), Code::not_found);
  EXPECT_EQ(Status::from_errno(EACCES, "").code(), Code::permission_denied);
  EXPECT_EQ(Status::from_errno(ENOSPC, "").code(), Code::no_space);
  EXPECT_EQ(Status::from_errno(EOPNOTSUPP, "").code(), Code::unsupported);
  EXPECT_EQ(Status::from_errno(EXDEV, "").code(), Code::io_error) << "an errno without a code of its own";
  EXPECT_EQ(Status::from_errno(0, "").code(), Code::internal) << "no errno is a bug of the caller";
  EXPECT_TRUE(Status::from_errno(EAGAIN, "").retryable());
  EXPECT_TRUE(Status::from_errno(EINTR, "").retryable());
  EXPECT_FALSE(Status::from_errno(EIO, "").retryable());
  EXPECT_TRUE(Status(Code::would_block, "").retryable());
}

TEST(Status, EveryCodeHasItsOwnName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Code::internal); ++code) names.insert(to_string(static_cast<Code>(code)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Code::internal) + 1);
  EXPECT_EQ(to_string(Code::io_error), "io_error");
  EXPECT_EQ(to_string(Code::poisoned), "poisoned");
  EXPECT_EQ(to_string(Code::internal), "internal");
  EXPECT_EQ(to_string(FailureScope::context), "context");
  EXPECT_EQ(to_string(Effect::unknown), "unknown");
}

TEST(Status, ErrorCarriesTheStatus) {
  try {
    throw_if_failed(Status(Code::busy, "pinned"));
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.status().code(), Code::busy);
    EXPECT_STREQ(error.what(), "busy: pinned retryable=no");
  }
  EXPECT_NO_THROW(throw_if_failed(Status()));
}

TEST(Result, HoldsAValueOrAnError) {
  Result<int> good = 7;
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 7);
  EXPECT_EQ(good.value(), 7);
  EXPECT_TRUE(good.status().ok());

  Result<int> bad = Status(Code::not_found, "nothing");
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), Code::not_found);
  EXPECT_EQ(bad.status().message(), "nothing");
  EXPECT_THROW((void)bad.value(), Error);
  EXPECT_EQ(std::move(bad).value_or(3), 3);
}

TEST(Result, GivesUpMoveOnlyValues) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 5);
}

Result<int> half(int value) {
  if (value % 2 != 0) return Status(Code::invalid_argument, "odd");
  return value / 2;
}

Result<int> quarter(int value) {
  GPUIO_ASSIGN(const int once, half(value));
  GPUIO_ASSIGN(int twice, half(once));
  return twice;
}

Status check_quarter(int value) {
  GPUIO_TRY(quarter(value).status());
  return {};
}

TEST(Try, PassesValuesAndReturnsTheFirstError) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().code(), Code::invalid_argument);
  EXPECT_TRUE(check_quarter(8).ok());
  EXPECT_EQ(check_quarter(7).message(), "odd");
}

}  // namespace
}  // namespace gpuio
