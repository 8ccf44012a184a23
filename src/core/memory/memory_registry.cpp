// SPDX-License-Identifier: Apache-2.0
#include "core/memory/memory_registry.h"

#include "base/log.h"

namespace gpuio::core {
namespace {

std::uintptr_t address_of(const std::byte* pointer) noexcept { return reinterpret_cast<std::uintptr_t>(pointer); }

}  // namespace

Registration& Registration::operator=(Registration&& other) noexcept {
  std::swap(registry_, other.registry_);
  std::swap(key_, other.key_);
  return *this;
}

Registration::~Registration() {
  if (registry_ != nullptr) registry_->release(key_);
}

MemoryRegistry& MemoryRegistry::process() {
  static auto* const registry = new MemoryRegistry;
  return *registry;
}

MemoryRegistry::Entries::const_iterator MemoryRegistry::overlapping(std::string_view device, std::uintptr_t base,
                                                                    std::size_t bytes) const {
  auto after = entries_.lower_bound(Registration::Key(device, base));
  if (after != entries_.begin()) {
    const auto before = std::prev(after);
    if (before->first.first == device && before->first.second + before->second.bytes > base) return before;
  }
  if (after != entries_.end() && after->first.first == device && after->first.second - base < bytes) return after;
  return entries_.end();
}

Result<Registration> MemoryRegistry::add(const std::shared_ptr<spi::Device>& device, std::byte* base, std::size_t bytes,
                                         spi::RegisterMode mode) {
  Registration::Key key(device->info().name, address_of(base));
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = overlapping(key.first, key.second, bytes); found != entries_.end()) {
      const auto& [first, entry] = *found;
      if (entry.users == 0) {
        return Status(Code::busy, "another thread is registering or unregistering this memory").with_retryable(true);
      }
      const bool covered = first.second <= key.second && key.second + bytes <= first.second + entry.bytes;
      const bool allowed = entry.mode == spi::RegisterMode::read_write || mode == spi::RegisterMode::read_only;
      if (!covered || !allowed) {
        return Status(Code::busy, covered ? "this memory is registered for reading only"
                                          : "part of this memory is registered, and ranges can't overlap")
            .with("device", key.first)
            .with("bytes", bytes);
      }
      ++entries_.find(first)->second.users;
      return Registration(this, first);
    }
    entries_.emplace(key, Entry{bytes, mode, device, 0});
  }
  Status registered = device->register_memory(base, bytes, mode);
  const std::lock_guard lock(mutex_);
  if (!registered.ok()) {
    entries_.erase(key);
    return std::move(registered).with("device", key.first).with("bytes", bytes);
  }
  entries_.find(key)->second.users = 1;
  return Registration(this, std::move(key));
}

void MemoryRegistry::release(const Registration::Key& key) noexcept {
  Entry leaving;
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_.find(key)->second;
    if (--entry.users > 0) return;
    leaving = entry;
  }
  const Status done = leaving.device->unregister_memory(reinterpret_cast<std::byte*>(key.second), leaving.bytes);
  if (!done.ok()) GPUIO_LOG(warn, "core", "unregistering memory from " + key.first + ": " + done.to_string());
  const std::lock_guard lock(mutex_);
  entries_.erase(key);
}

bool MemoryRegistry::covers(std::string_view device_name, const std::byte* base, std::size_t bytes) const {
  const std::lock_guard lock(mutex_);
  const std::uintptr_t start = address_of(base);
  const auto found = overlapping(device_name, start, bytes);
  return found != entries_.end() && found->second.users > 0 && found->first.second <= start &&
         start + bytes <= found->first.second + found->second.bytes;
}

std::uint64_t MemoryRegistry::registered_bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t bytes = 0;
  for (const auto& [key, entry] : entries_) bytes += entry.bytes;
  return bytes;
}

}  // namespace gpuio::core
