// SPDX-License-Identifier: Apache-2.0
#include "gpuio/status.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace gpuio {
namespace {

constexpr std::array<std::string_view, 23> kCodeNames = {
    "ok",
    "invalid_argument",
    "out_of_range",
    "not_found",
    "already_exists",
    "permission_denied",
    "unsupported",
    "would_block",
    "cancelled",
    "deadline_exceeded",
    "out_of_memory",
    "resource_exhausted",
    "no_space",
    "io_error",
    "end_of_file",
    "corrupt",
    "stale",
    "busy",
    "poisoned",
    "device_error",
    "device_lost",
    "closed",
    "internal",
};
static_assert(kCodeNames.size() == static_cast<std::size_t>(Code::internal) + 1);

constexpr std::array<std::string_view, 5> kScopeNames = {"request", "store", "peer", "device", "context"};
constexpr std::array<std::string_view, 3> kEffectNames = {"none", "done", "unknown"};

template <class Enum, std::size_t kCount>
std::string_view name_of(const std::array<std::string_view, kCount>& names, Enum value) noexcept {
  const auto index = static_cast<std::size_t>(value);
  return index < kCount ? names[index] : "?";
}

struct ErrnoMeaning {
  int error;
  Code code;
  bool retryable = false;
};

// What is not named here is an io_error: the message has the errno's name.
constexpr ErrnoMeaning kErrnoMeanings[] = {
    {EINVAL, Code::invalid_argument},
    {EISDIR, Code::invalid_argument},
    {ENOTDIR, Code::invalid_argument},
    {ENAMETOOLONG, Code::invalid_argument},
    {ELOOP, Code::invalid_argument},
    {ESPIPE, Code::invalid_argument},
    {ERANGE, Code::out_of_range},
    {EOVERFLOW, Code::out_of_range},
    {EFBIG, Code::out_of_range},
    {ENOENT, Code::not_found},
    {ENXIO, Code::not_found},
    {ENODEV, Code::not_found},
    {EEXIST, Code::already_exists},
    {EACCES, Code::permission_denied},
    {EPERM, Code::permission_denied},
    {EROFS, Code::permission_denied},
    {ENOSYS, Code::unsupported},
    {EOPNOTSUPP, Code::unsupported},
    {ENOTTY, Code::unsupported},
    {EAGAIN, Code::would_block, true},
    {EINTR, Code::would_block, true},
    {ECANCELED, Code::cancelled},
    {ETIMEDOUT, Code::io_error, true},
    {ENOMEM, Code::out_of_memory},
    {EMFILE, Code::resource_exhausted},
    {ENFILE, Code::resource_exhausted},
    {ENOBUFS, Code::resource_exhausted},
    {ENOSPC, Code::no_space},
    {EDQUOT, Code::no_space},
    {EBADMSG, Code::corrupt},
    {ESTALE, Code::stale},
    {EBUSY, Code::busy, true},
    {ETXTBSY, Code::busy},
    {EBADF, Code::closed},
    {EFAULT, Code::internal},
};

bool needs_quotes(std::string_view value) noexcept {
  if (value.empty()) return true;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

// A message stays one line whatever a file is called.
void append_quoted(std::string& text, std::string_view value) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  text += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (byte < ' ' || byte == 0x7f) {
      text += "\\x";
      text += kHexDigits[byte >> 4];
      text += kHexDigits[byte & 15];
    } else {
      text += c;
    }
  }
  text += '"';
}

std::string native_name(Code code, std::int32_t native) {
  const bool is_errno = code != Code::device_error && code != Code::device_lost;
  const char* name = is_errno ? ::strerrorname_np(native) : nullptr;
  return name != nullptr ? name : std::to_string(native);
}

}  // namespace

std::string_view to_string(Code code) noexcept { return name_of(kCodeNames, code); }
std::string_view to_string(FailureScope scope) noexcept { return name_of(kScopeNames, scope); }
std::string_view to_string(Effect effect) noexcept { return name_of(kEffectNames, effect); }

Status::Status(Code code, std::string message)
    : code_(code),
      retryable_(code == Code::would_block),
      message_(code == Code::ok ? nullptr : std::make_shared<const std::string>(std::move(message))) {}

Status Status::from_errno(int error, std::string message) {
  Status status(error == 0 ? Code::internal : Code::io_error, std::move(message));
  for (const ErrnoMeaning& meaning : kErrnoMeanings) {
    if (meaning.error != error) continue;
    status.code_ = meaning.code;
    status.retryable_ = meaning.retryable;
  }
  status.native_ = error;
  return status;
}

std::string_view Status::message() const noexcept {
  return message_ ? std::string_view(*message_) : std::string_view();
}

std::string Status::to_string() const {
  std::string text(gpuio::to_string(code_));
  if (ok()) return text;
  if (native_ != 0) text.append("(").append(native_name(code_, native_)).append(")");
  text.append(": ").append(message());
  if (scope_ != FailureScope::request) text.append(" scope=").append(gpuio::to_string(scope_));
  if (effect_ != Effect::none) text.append(" effect=").append(gpuio::to_string(effect_));
  if (data_loss_) text.append(" data_loss=yes");
  return text.append(" retryable=").append(retryable_ ? "yes" : "no");
}

Status& Status::with_scope(FailureScope scope) & noexcept {
  scope_ = scope;
  return *this;
}

Status& Status::with_effect(Effect effect) & noexcept {
  effect_ = effect;
  return *this;
}

Status& Status::with_retryable(bool retryable) & noexcept {
  retryable_ = retryable;
  return *this;
}

Status& Status::with_data_loss(bool data_loss) & noexcept {
  data_loss_ = data_loss;
  return *this;
}

Status& Status::with_native(std::int32_t native) & noexcept {
  native_ = native;
  return *this;
}

Status& Status::with(std::string_view key, std::string_view value) & {
  if (ok()) return *this;
  std::string text(message());
  text.append(" ").append(key).append("=");
  if (needs_quotes(value)) {
    append_quoted(text, value);
  } else {
    text.append(value);
  }
  message_ = std::make_shared<const std::string>(std::move(text));
  return *this;
}

Status& Status::with(std::string_view key, std::uint64_t value) & { return with(key, std::to_string(value)); }

Error::Error(Status status) : std::runtime_error(status.to_string()), status_(std::move(status)) {}

void throw_if_failed(const Status& status) {
  if (!status.ok()) throw Error(status);
}

}  // namespace gpuio
