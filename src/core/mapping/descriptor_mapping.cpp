// SPDX-License-Identifier: Apache-2.0
#include "core/mapping/descriptor_mapping.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include "base/align.h"
#include "base/try.h"
#include "base/units.h"

namespace gpuio::core {
namespace {

#ifndef MADV_POPULATE_READ
constexpr int MADV_POPULATE_READ = 22;  // Linux 5.14
constexpr int MADV_POPULATE_WRITE = 23;
#endif

/// Mappings of this size and more start where a huge page could.
constexpr std::uint64_t kHugePageBytes = 2 * base::kMiB;

std::uint64_t system_page_bytes() {
  static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

/// Of the pages in which the kernel maps `file`, dax devices aside, which tell nothing.
std::uint64_t kernel_page_bytes(const MappedFile& file) {
  struct statfs system{};
  const bool huge = ::fstatfs(file.descriptor.get(), &system) == 0 && system.f_type == HUGETLBFS_MAGIC;
  return huge ? static_cast<std::uint64_t>(system.f_bsize) : system_page_bytes();
}

int system_advice(MemoryAdvice advice) {
  switch (advice) {
    case MemoryAdvice::normal:
      return MADV_NORMAL;
    case MemoryAdvice::sequential:
      return MADV_SEQUENTIAL;
    case MemoryAdvice::random:
      return MADV_RANDOM;
    case MemoryAdvice::will_need:
      return MADV_WILLNEED;
    case MemoryAdvice::wont_need:
      return MADV_DONTNEED;
  }
  return MADV_NORMAL;
}

}  // namespace

Status lengthen_file(int file, std::uint64_t bytes) {
  const auto last = static_cast<off_t>(bytes - 1);
  if (::fallocate(file, 0, last, 1) == 0) return {};
  if (errno == EOPNOTSUPP && ::ftruncate(file, static_cast<off_t>(bytes)) == 0) return {};
  return Status::from_errno(errno, "can't lengthen the store").with("size", bytes);
}

Result<std::unique_ptr<DescriptorMapping>> DescriptorMapping::create(MappedFile file, const spi::MapRange& range) {
  const std::uint64_t kernel_page = file.fixed_bytes != 0 ? file.page_bytes : kernel_page_bytes(file);
  const std::uint64_t page_bytes = std::max({file.page_bytes, kernel_page, system_page_bytes()});
  std::unique_ptr<DescriptorMapping> mapping(new DescriptorMapping(std::move(file), range, page_bytes));
  GPUIO_ASSIGN(const std::uint64_t file_bytes, mapping->file_bytes());
  const std::uint64_t offset = mapping->file_offset_ + mapping->skew_;
  if (range.length == 0 && offset < file_bytes) mapping->size_ = file_bytes - offset;
  GPUIO_TRY(mapping->check_range(file_bytes).with("store", mapping->file_.name));
  GPUIO_TRY(mapping->reserve().with("store", mapping->file_.name));
  GPUIO_TRY(mapping->map_pages(0, base::align_up(mapping->skew_ + mapping->size_, page_bytes)));
  GPUIO_ASSIGN(mapping->guard_,
               SigbusGuard::protect(mapping->reservation_, mapping->mapped_, std::max(kernel_page, system_page_bytes()),
                                    range.access == MapAccess::read_write));
  mapping->needed_ = mapping->size();
  return mapping;
}

DescriptorMapping::DescriptorMapping(MappedFile file, const spi::MapRange& range, std::uint64_t page_bytes)
    : file_(std::move(file)),
      page_bytes_(page_bytes),
      access_(range.access),
      file_offset_(base::align_down(range.offset, page_bytes)),
      skew_(range.offset - file_offset_),
      size_(range.length),
      reserved_(range.reserve_bytes) {}

DescriptorMapping::~DescriptorMapping() {
  guard_ = SigbusGuard();  // before the addresses may be anybody's
  if (reservation_ != nullptr) ::munmap(reservation_, reserved_);
}

Status DescriptorMapping::check_range(std::uint64_t file_bytes) const {
  const std::uint64_t offset = file_offset_ + skew_;
  if (offset > file_bytes || size_ > file_bytes - offset || size_ == 0) {
    const bool empty = size_ == 0;
    return Status(Code::out_of_range,
                  empty ? "there is nothing to map" : "the mapping reaches past the end of the store")
        .with("offset", offset)
        .with("length", size())
        .with("size", file_bytes);
  }
  if (page_bytes_ > system_page_bytes() && (skew_ != 0 || size_ % page_bytes_ != 0)) {
    return Status(Code::invalid_argument, "offset and length must be multiples of the page here")
        .with("offset", offset)
        .with("length", size())
        .with("page_bytes", page_bytes_);
  }
  if (reserved_ != 0 && reserved_ < size_) {
    return Status(Code::invalid_argument, "reserve_bytes is less than what is to be mapped")
        .with("reserve_bytes", reserved_)
        .with("length", size());
  }
  return {};
}

Status DescriptorMapping::reserve() {
  const std::uint64_t wanted = std::max(reserved_, size());
  const std::uint64_t alignment = std::max(page_bytes_, wanted >= kHugePageBytes ? kHugePageBytes : 0);
  const auto whole = base::checked_align_up(wanted + skew_, page_bytes_);
  if (wanted + skew_ < wanted || !whole || *whole > *whole + alignment) {
    return Status(Code::out_of_range, "reserve_bytes is more than there are addresses").with("reserve_bytes", wanted);
  }
  void* const addresses =
      ::mmap(nullptr, *whole + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (addresses == MAP_FAILED) {
    return Status(Code::out_of_memory, "no addresses left to reserve").with("bytes", *whole).with_native(errno);
  }
  auto* const start = static_cast<std::byte*>(addresses);
  const std::uint64_t skip =
      base::align_up(reinterpret_cast<std::uintptr_t>(start), alignment) - reinterpret_cast<std::uintptr_t>(start);
  if (skip > 0) ::munmap(start, skip);
  if (skip < alignment) ::munmap(start + skip + *whole, alignment - skip);
  reservation_ = start + skip;
  reserved_ = *whole;
  return {};
}

Status DescriptorMapping::map_pages(std::uint64_t begin, std::uint64_t end) {
  if (begin >= end) return {};
  const int protection = PROT_READ | (access_ == MapAccess::read_write ? PROT_WRITE : 0);
  void* const pages = ::mmap(reservation_ + begin, end - begin, protection, MAP_SHARED | MAP_FIXED,
                             file_.descriptor.get(), static_cast<off_t>(file_offset_ + begin));
  if (pages == MAP_FAILED) {
    const int error = errno;
    // A failed MAP_FIXED may have taken away what was there.
    std::ignore = ::mmap(reservation_ + begin, end - begin, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return Status::from_errno(error, "can't map the store")
        .with("store", file_.name)
        .with("offset", file_offset_ + begin)
        .with("length", end - begin);
  }
  mapped_ = std::max(mapped_, end);
  return {};
}

Result<std::uint64_t> DescriptorMapping::file_bytes() const {
  if (file_.fixed_bytes != 0) return file_.fixed_bytes;
  struct stat now{};
  if (::fstat(file_.descriptor.get(), &now) != 0) {
    return Status::from_errno(errno, "can't ask for the store's size").with("store", file_.name);
  }
  if (!S_ISBLK(now.st_mode)) return static_cast<std::uint64_t>(now.st_size);
  const off_t end = ::lseek(file_.descriptor.get(), 0, SEEK_END);
  if (end < 0) return Status::from_errno(errno, "can't ask for the device's size").with("store", file_.name);
  return static_cast<std::uint64_t>(end);
}

Status DescriptorMapping::lengthen(std::uint64_t file_bytes) {
  GPUIO_TRY(lengthen_file(file_.descriptor.get(), file_bytes).with("store", file_.name));
  if (file_.lengthened) file_.lengthened(file_bytes);
  return {};
}

Status DescriptorMapping::grow(std::uint64_t size_bytes) {
  if (size_bytes < size_) {
    return Status(Code::invalid_argument, "growing makes it longer; unmap takes away")
        .with("size", size())
        .with("asked", size_bytes);
  }
  if (size_bytes > reserved_ - skew_) {
    return Status(Code::out_of_range, "no addresses are reserved for so much: MapOptions::reserve_bytes")
        .with("reserve_bytes", reserved_ - skew_)
        .with("asked", size_bytes);
  }
  if (page_bytes_ > system_page_bytes() && size_bytes % page_bytes_ != 0) {
    return Status(Code::invalid_argument, "the length must be a multiple of the page here")
        .with("asked", size_bytes)
        .with("page_bytes", page_bytes_);
  }
  GPUIO_ASSIGN(const std::uint64_t there, file_bytes());
  const std::uint64_t needed = file_offset_ + skew_ + size_bytes;
  if (needed > there) {
    if (!file_.writable || file_.fixed_bytes != 0) {
      return Status(Code::out_of_range, "the store is shorter than that")
          .with("store", file_.name)
          .with("size", there)
          .with("needed", needed);
    }
    GPUIO_TRY(lengthen(needed));
  }
  const std::uint64_t end = base::align_up(skew_ + size_bytes, page_bytes_);
  const std::uint64_t before = mapped_;
  GPUIO_TRY(map_pages(before, end));
  guard_.resize(mapped_);
  size_ = size_bytes;
  needed_ = size_bytes;
  return {};
}

Status DescriptorMapping::unmap(std::uint64_t offset, std::uint64_t length) {
  if (offset > size_ || length > size_ - offset || length == 0) {
    return Status(Code::out_of_range, "the part lies outside the mapping")
        .with("offset", offset)
        .with("length", length)
        .with("size", size());
  }
  const bool to_end = offset + length == size_;
  const std::uint64_t begin = skew_ + offset;
  const std::uint64_t end = to_end ? mapped_ : begin + length;
  const std::uint64_t first = offset == 0 ? 0 : begin;
  if (first % page_bytes_ != 0 || end % page_bytes_ != 0) {
    return Status(Code::invalid_argument, "only whole pages can be unmapped")
        .with("offset", offset)
        .with("length", length)
        .with("page_bytes", page_bytes_);
  }
  if (::mmap(reservation_ + first, end - first, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
             0) == MAP_FAILED) {
    return Status::from_errno(errno, "can't unmap").with("store", file_.name);
  }
  if (offset + length >= needed_ && offset < needed_) needed_ = offset;
  return {};
}

Status DescriptorMapping::prefault(std::uint64_t offset, std::uint64_t length) const {
  const std::uint64_t begin = base::align_down(skew_ + offset, page_bytes_);
  const std::uint64_t end = base::align_up(skew_ + offset + length, page_bytes_);
  const int how = access_ == MapAccess::read_write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
  int result = -1;
  do {
    result = ::madvise(reservation_ + begin, end - begin, how);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return check();  // zeros that stand in for lost bytes are there, too
  const int error = errno;
  if (error == EINVAL || error == ENOSYS) {  // A kernel before 5.14; a load of each page does it, guarded.
    for (std::uint64_t at = begin; at < end; at += page_bytes_) {
      static_cast<void>(*static_cast<volatile std::byte*>(reservation_ + at));
    }
    return check();
  }
  GPUIO_TRY(check());
  const bool no_memory = error == ENOMEM || error == EFAULT;
  return Status(no_memory ? Code::out_of_memory : Code::io_error, "can't have all pages in memory")
      .with("store", file_.name)
      .with("length", length)
      .with_native(error);
}

Status DescriptorMapping::advise(std::uint64_t offset, std::uint64_t length, MemoryAdvice advice) const {
  const std::uint64_t begin = base::align_down(skew_ + offset, page_bytes_);
  const std::uint64_t end = base::align_up(skew_ + offset + length, page_bytes_);
  if (::madvise(reservation_ + begin, end - begin, system_advice(advice)) == 0) return {};
  // Advice that a kind of memory has no use for (huge pages, dax) is no failure.
  if (errno == EINVAL) return {};
  return Status::from_errno(errno, "the kernel takes no advice").with("store", file_.name);
}

Status DescriptorMapping::check() const {
  GPUIO_ASSIGN(const std::uint64_t there, file_bytes());
  const std::uint64_t needed = file_offset_ + skew_ + needed_;
  if (there < needed) {
    return Status(Code::end_of_file, "the store was cut under its mapping")
        .with("store", file_.name)
        .with("size", there)
        .with("mapped_to", needed)
        .with_data_loss(guard_.was_hit());
  }
  if (!guard_.was_hit()) return {};
  return Status(Code::io_error, "bytes could not be had when they were touched: the store was cut, is full or failed")
      .with("store", file_.name)
      .with_scope(FailureScope::store)
      .with_data_loss(true);
}

Result<spi::SharedMemoryFile> DescriptorMapping::share(std::uint64_t offset, MapAccess access) const {
  if (access == MapAccess::read_write && access_ != MapAccess::read_write) {
    return Status(Code::permission_denied, "it is mapped for reading only").with("store", file_.name);
  }
  // Opened anew for reading, so that whoever gets it can't make more of it.
  const std::string path = "/proc/self/fd/" + std::to_string(file_.descriptor.get());
  base::UniqueFd descriptor(access == MapAccess::read ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC)
                                                      : ::fcntl(file_.descriptor.get(), F_DUPFD_CLOEXEC, 0));
  if (!descriptor) return Status::from_errno(errno, "no descriptor to share").with("store", file_.name);
  return spi::SharedMemoryFile{std::move(descriptor), file_offset_ + skew_ + offset};
}

std::string DescriptorMapping::explain() const {
  return file_.name + ": " + base::format_size(size()) + " from " + std::to_string(file_offset_ + skew_) +
         (access_ == MapAccess::read ? ", for reading" : ", for reading and writing") + ", pages of " +
         base::format_size(page_bytes_);
}

}  // namespace gpuio::core
