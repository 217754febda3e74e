#include "weir/sim/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "weir/base/assert.hpp"

namespace weir::sim {
namespace {

bool is_packed(const std::string& path) {
    return path.size() > 3 && path.compare(path.size() - 3, 3, ".gz") == 0;
}

}  // namespace

struct OutputFile::Sink {
    Sink() = default;
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    ~Sink() {
        if (deflating) deflateEnd(&stream);
        if (fd > STDERR_FILENO) ::close(fd);
        if (!part.empty()) ::unlink(part.c_str());
    }

    [[nodiscard]] tl::unexpected<Error> cannot(std::string_view what) const {
        const int error = errno;
        return fail(error == ENOENT ? Code::not_found : Code::io,
                    fmt::format("{}: cannot be {}: {}", name, what, std::strerror(error)));
    }

    Result<void> write_raw(const char* bytes, std::size_t count) {
        while (count > 0) {
            const ssize_t written = ::write(fd, bytes, count);
            if (written < 0) {
                if (errno == EINTR) continue;
                return cannot("written");
            }
            bytes += written;
            count -= static_cast<std::size_t>(written);
        }
        return {};
    }

    Result<void> deflate_all(std::string_view bytes, int flush) {
        // deflate() takes 32-bit counts, so large texts go in slices.
        constexpr std::size_t slice = std::size_t{1} << 30;
        do {
            const std::string_view now = bytes.substr(0, slice);
            bytes.remove_prefix(now.size());
            stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(now.data()));
            stream.avail_in = static_cast<uInt>(now.size());
            const int mode = bytes.empty() ? flush : Z_NO_FLUSH;
            do {
                stream.next_out = reinterpret_cast<Bytef*>(packed.data());
                stream.avail_out = static_cast<uInt>(packed.size());
                const int status = deflate(&stream, mode);
                WEIR_ASSERT(status != Z_STREAM_ERROR);
                WEIR_CHECK(write_raw(packed.data(), packed.size() - stream.avail_out));
            } while (stream.avail_out == 0);
        } while (!bytes.empty());
        return {};
    }

    std::string name;
    std::string path;  // "" = standard output
    std::string part;  // what exists until close(); "" when there is no such file
    int fd = -1;
    bool deflating = false;
    z_stream stream{};
    std::array<char, 65536> packed{};
};

OutputFile::OutputFile(std::unique_ptr<Sink> sink) : sink_(std::move(sink)) {}
OutputFile::OutputFile(OutputFile&&) noexcept = default;
OutputFile& OutputFile::operator=(OutputFile&&) noexcept = default;
OutputFile::~OutputFile() = default;

Result<OutputFile> OutputFile::create(const std::string& path) {
    auto sink = std::make_unique<Sink>();
    if (path.empty() || path == "-") {
        sink->name = "standard output";
        sink->fd = STDOUT_FILENO;
        return OutputFile(std::move(sink));
    }
    sink->name = path;
    sink->path = path;
    // A device or a pipe is written in place: there is nothing to rename.
    struct stat facts {};
    const bool exists = ::stat(path.c_str(), &facts) == 0;
    if (exists && S_ISDIR(facts.st_mode)) {
        return fail(Code::invalid, fmt::format("{}: is a folder, not a file", path));
    }
    const bool in_place = exists && !S_ISREG(facts.st_mode);
    const std::string opened = in_place ? path : path + ".part";
    sink->fd = ::open(opened.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (sink->fd < 0) return sink->cannot("created");
    if (!in_place) sink->part = opened;
    if (is_packed(path)) {
        const int status = deflateInit2(
            &sink->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
        if (status != Z_OK) {
            return fail(Code::internal, fmt::format("{}: zlib does not start ({})", path, status));
        }
        sink->deflating = true;
    }
    return OutputFile(std::move(sink));
}

Result<void> OutputFile::write(std::string_view bytes) {
    if (sink_->deflating) return sink_->deflate_all(bytes, Z_NO_FLUSH);
    return sink_->write_raw(bytes.data(), bytes.size());
}

Result<void> OutputFile::close() {
    Sink& sink = *sink_;
    if (sink.deflating) WEIR_CHECK(sink.deflate_all({}, Z_FINISH));
    if (sink.path.empty()) return {};
    if (::close(std::exchange(sink.fd, -1)) != 0) return sink.cannot("written");
    if (!sink.part.empty()) {
        if (std::rename(sink.part.c_str(), sink.path.c_str()) != 0) return sink.cannot("written");
        sink.part.clear();
    }
    return {};
}

Result<void> write_file(const std::string& path, std::string_view bytes) {
    WEIR_TRY(OutputFile file, OutputFile::create(path));
    WEIR_CHECK(file.write(bytes));
    return file.close();
}

}  // namespace weir::sim
