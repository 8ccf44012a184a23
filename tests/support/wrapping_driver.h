// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/spi/device.h"

namespace gpuio::tests {

/// Opens every device of another driver as a `Wrapping` of it, which is made of the device and copies of `with`.
template <class Wrapping, class... With>
class WrappingDriver : public spi::DeviceDriver {
 public:
  explicit WrappingDriver(std::unique_ptr<spi::DeviceDriver> inner, With... with)
      : inner_(std::move(inner)), with_(std::move(with)...) {}

  [[nodiscard]] std::string_view family() const noexcept override { return inner_->family(); }
  [[nodiscard]] Result<int> count() override { return inner_->count(); }
  [[nodiscard]] std::string name(int ordinal) const override { return inner_->name(ordinal); }
  [[nodiscard]] Result<std::unique_ptr<spi::Device>> open(int ordinal) override {
    Result<std::unique_ptr<spi::Device>> opened = inner_->open(ordinal);
    if (!opened) return std::move(opened).error();
    const auto wrap = [&](const With&... with) { return std::make_unique<Wrapping>(*std::move(opened), with...); };
    return std::unique_ptr<spi::Device>(std::apply(wrap, with_));
  }

 protected:
  const std::unique_ptr<spi::DeviceDriver> inner_;

 private:
  const std::tuple<With...> with_;
};

}  // namespace gpuio::tests
