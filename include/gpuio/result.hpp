// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cassert>
#include <utility>
#include <variant>

#include "gpuio/status.hpp"

namespace gpuio {

/// A value, or the Status that says why there is none. Member names are those of std::expected.
///
/// For those who branch: `if (!result) return result.error();`. For those who don't: `value()` throws gpuio::Error.
/// Thread safety: as `T`.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;       ///< As std::expected.
  using error_type = Status;  ///< As std::expected.

  /// A value.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  /// A failure; `error` may not be ok.
  Result(Status error) : state_(std::in_place_index<1>, std::move(error)) {  // NOLINT(google-explicit-constructor)
    assert(!std::get<1>(state_).ok() && "an ok Status carries no value");
  }

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }  ///< Is there one?
  explicit operator bool() const noexcept { return has_value(); }

  /// The value; throws gpuio::Error with the Status if there is none.
  T& value() & { return check(), std::get<0>(state_); }
  const T& value() const& { return check(), std::get<0>(state_); }    ///< As above.
  T&& value() && { return check(), std::get<0>(std::move(state_)); }  ///< As above.

  /// The value, unchecked in release builds.
  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }    ///< As above.
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }  ///< As above.
  T* operator->() noexcept { return std::get_if<0>(&state_); }                 ///< As above.
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }     ///< As above.

  /// The value, or `fallback` if there is none.
  template <class U>
  T value_or(U&& fallback) && {
    return has_value() ? *std::move(*this) : static_cast<T>(std::forward<U>(fallback));
  }

  /// Why there is no value; requires `!has_value()`.
  [[nodiscard]] const Status& error() const& noexcept { return *std::get_if<1>(&state_); }
  [[nodiscard]] Status&& error() && noexcept { return std::move(*std::get_if<1>(&state_)); }  ///< As above.

  /// ok, or `error()`.
  [[nodiscard]] Status status() const { return has_value() ? Status() : error(); }

 private:
  void check() const {
    if (!has_value()) throw Error(std::get<1>(state_));
  }

  std::variant<T, Status> state_;
};

}  // namespace gpuio
