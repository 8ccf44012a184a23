// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace gpuio {

/// What went wrong, in about twenty words. `docs/errors.md` says for each what causes it and what to do.
enum class Code : std::uint8_t {
  ok,
  invalid_argument,    ///< The call itself is wrong: the message names the argument.
  out_of_range,        ///< An offset, length or index lies outside what it refers to.
  not_found,           ///< No such file, device, key, tensor or engine.
  already_exists,      ///< Something with that name is there and may not be replaced.
  permission_denied,   ///< The operating system refused.
  unsupported,         ///< This machine or this build can't; the message says why and what would change it.
  would_block,         ///< A queue or a budget is full now; try again later.
  cancelled,           ///< The caller cancelled it.
  deadline_exceeded,   ///< Not finished by its deadline; memory may still be held, see Request::quiet.
  out_of_memory,       ///< Host or device memory is exhausted.
  resource_exhausted,  ///< A budget of settings (pinned bytes, registered bytes) or of the system (memlock, files) is
                       ///< too small.
  no_space,            ///< The device behind a store is full.
  io_error,            ///< The device behind a store failed; `native()` has the errno.
  end_of_file,         ///< The store is, or became, shorter than what was asked for.
  corrupt,             ///< Bytes fail their check or break their format's rules. Nothing of them was handed out.
  stale,               ///< A Slice or handle refers to a Region that was freed or moved since.
  busy,                ///< Pinned or in use: can't be freed, moved or unmapped now.
  poisoned,            ///< A flush of this store failed before; reopen and verify it.
  device_error,        ///< The accelerator reported an error; `native()` has its code.
  device_lost,         ///< The accelerator or its context is gone.
  closed,              ///< The handle is empty, closed or moved from.
  internal,            ///< A bug of ours.
};

/// How much is broken: what has to be made anew before trying again.
enum class FailureScope : std::uint8_t { request, store, peer, device, context };

/// What a failed operation may have done to its destination.
enum class Effect : std::uint8_t { none, done, unknown };

/// The name of a code as it appears in messages, settings and metrics: `Code::io_error` is "io_error".
std::string_view to_string(Code code) noexcept;
std::string_view to_string(FailureScope scope) noexcept;
std::string_view to_string(Effect effect) noexcept;

/// The outcome of an operation: ok, or what failed, where, and whether trying again can help.
///
/// A value type; copying a failed one costs a reference count, an ok one nothing. Thread safety: as an int.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;

  /// A failure. `message` is a sentence fragment that names what the caller can act on.
  Status(Code code, std::string message);

  /// A failure from an errno value; the code follows from it (ENOENT is not_found, EIO is io_error, ...).
  static Status from_errno(int error, std::string message);

  [[nodiscard]] bool ok() const noexcept { return code_ == Code::ok; }  ///< Nothing failed.
  [[nodiscard]] Code code() const noexcept { return code_; }            ///< What went wrong.
  [[nodiscard]] FailureScope scope() const noexcept { return scope_; }  ///< How much is broken.
  [[nodiscard]] Effect effect() const noexcept { return effect_; }      ///< What may have been done.
  [[nodiscard]] bool retryable() const noexcept { return retryable_; }  ///< Trying again can help.
  [[nodiscard]] bool data_loss() const noexcept { return data_loss_; }  ///< Bytes that were there are gone.

  /// errno, or the accelerator's error code; 0 where there is none.
  [[nodiscard]] std::int32_t native() const noexcept { return native_; }

  /// The message and the fields added with `with`, without code and flags.
  [[nodiscard]] std::string_view message() const noexcept;

  /// One line: `io_error(EIO): read failed store=/data/a.bin offset=4194304 retryable=no`.
  [[nodiscard]] std::string to_string() const;

  Status& with_scope(FailureScope scope) & noexcept;    ///< Sets scope().
  Status& with_effect(Effect effect) & noexcept;        ///< Sets effect().
  Status& with_retryable(bool retryable) & noexcept;    ///< Sets retryable().
  Status& with_data_loss(bool data_loss) & noexcept;    ///< Sets data_loss().
  Status& with_native(std::int32_t native) & noexcept;  ///< Sets native().
  Status&& with_scope(FailureScope scope) && noexcept { return std::move(with_scope(scope)); }
  Status&& with_effect(Effect effect) && noexcept { return std::move(with_effect(effect)); }
  Status&& with_retryable(bool retryable) && noexcept { return std::move(with_retryable(retryable)); }
  Status&& with_data_loss(bool data_loss) && noexcept { return std::move(with_data_loss(data_loss)); }
  Status&& with_native(std::int32_t native) && noexcept { return std::move(with_native(native)); }

  /// Adds ` key=value` to the message.
  Status& with(std::string_view key, std::string_view value) &;
  Status& with(std::string_view key, std::uint64_t value) &;  ///< As above.
  Status&& with(std::string_view key, std::string_view value) && { return std::move(with(key, value)); }
  Status&& with(std::string_view key, std::uint64_t value) && { return std::move(with(key, value)); }

 private:
  Code code_ = Code::ok;
  FailureScope scope_ = FailureScope::request;
  Effect effect_ = Effect::none;
  bool retryable_ = false;
  bool data_loss_ = false;
  std::int32_t native_ = 0;
  std::shared_ptr<const std::string> message_;
};

/// What `Result::value()` and `Status`-returning conveniences throw. `what()` is `status().to_string()`.
class Error : public std::runtime_error {
 public:
  explicit Error(Status status);                                           ///< Of a failed Status.
  [[nodiscard]] const Status& status() const noexcept { return status_; }  ///< What failed.

 private:
  Status status_;
};

/// Throws gpuio::Error unless `status` is ok: the bridge for callers who prefer exceptions.
void throw_if_failed(const Status& status);

}  // namespace gpuio
