#include "weir/exec/run_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>

#include "weir/exec/shepherd_protocol.hpp"

namespace weir::exec {
namespace {

template <class Number>
bool read_number(std::string_view text, Number& value, int base = 10) {
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc{} && rest == text.data() + text.size();
}

void put(std::string& bytes, std::string_view key, std::string_view value) {
    bytes.append(key).push_back('\0');
    bytes.append(value).push_back('\0');
}

bool holds_nul(std::string_view text) {
    return text.find('\0') != std::string_view::npos;
}

Result<void> check_env(const std::map<std::string, std::string>& env) {
    for (const auto& [name, value] : env) {
        if (name.empty() || holds_nul(name) || name.find('=') != std::string::npos) {
            return fail(Code::invalid, "env: '" + name + "' is not the name of a variable");
        }
        if (holds_nul(value)) return fail(Code::invalid, "env: " + name + " contains a NUL byte");
    }
    return {};
}

std::optional<EndKind> kind_from_name(std::string_view name) {
    for (const EndKind kind : {EndKind::exited,
                               EndKind::time_limit,
                               EndKind::memory,
                               EndKind::stopped,
                               EndKind::not_started,
                               EndKind::lost}) {
        if (name_of(kind) == name) return kind;
    }
    return std::nullopt;
}

Error io_error(const char* verb, const std::string& path) {
    return {Code::io, std::string(verb) + " " + path + ": " + std::strerror(errno)};
}

Error read_error(const char* verb, const std::string& path) {
    const int reason = errno;
    Error error = io_error(verb, path);
    if (reason == ENOENT || reason == ENOTDIR || reason == ESRCH) error.code = Code::not_found;
    if (reason == EACCES || reason == EPERM) error.code = Code::denied;
    if (reason == EISDIR) error.code = Code::invalid;
    return error;
}

// A duration as the shepherd counts: milliseconds, -1 for no limit.
std::string limit_text(Duration limit) {
    return limit >= forever ? "-1" : std::to_string(std::max<std::int64_t>(limit.count(), 0));
}

}  // namespace

std::string run_folder(const std::string& data_dir, AttemptId attempt) {
    return data_dir + "/runs/" + text_of(attempt);
}

Result<AttemptId> parse_attempt(std::string_view text) {
    AttemptId id;
    const std::size_t dot = text.find('.');
    if (dot == std::string_view::npos || !read_number(text.substr(0, dot), id.job.value) ||
        !read_number(text.substr(dot + 1), id.number)) {
        return fail(Code::invalid, "'" + std::string(text) + "' is not an attempt such as 12.1");
    }
    return id;
}

Result<void> make_links(const Launch& launch) {
    namespace fs = std::filesystem;
    std::error_code problem;
    // A working folder that is not there is the shepherd's to report.
    if (!fs::is_directory(launch.workdir, problem)) return {};
    for (const Link& link : launch.links) {
        if (link.target.empty()) {
            if (fs::is_symlink(fs::symlink_status(link.path, problem))) {
                fs::remove(link.path, problem);
            }
            continue;
        }
        const fs::path path(link.path);
        fs::create_directories(path.parent_path(), problem);
        if (problem) {
            return fail(Code::invalid,
                        "the folder of " + link.path + ", where the job wants a link to " +
                            link.target + ", cannot be made: " + problem.message());
        }
        const fs::file_status there = fs::symlink_status(path, problem);
        if (fs::exists(there) && !fs::is_symlink(there)) {
            return fail(Code::invalid,
                        link.path + ", where the job wants a link to " + link.target +
                            ", is there and is no link; move it away, or give another path");
        }
        if (fs::is_symlink(there) && fs::read_symlink(path, problem) == link.target) continue;
        // In one step, for those who are in the same working folder.
        const std::string fresh = link.path + ".weir-" + std::to_string(::getpid());
        fs::remove(fresh, problem);
        if (::symlink(link.target.c_str(), fresh.c_str()) != 0 ||
            ::rename(fresh.c_str(), link.path.c_str()) != 0) {
            return fail(Code::io,
                        "cannot make the link " + link.path + ": " + std::strerror(errno));
        }
    }
    return {};
}

Result<void> check_launch(const Launch& launch) {
    const std::string name = "attempt " + text_of(launch.attempt) + ": ";
    if (launch.tasks.empty()) return fail(Code::invalid, name + "has no tasks");
    if (launch.tasks.size() > protocol::tasks_max) {
        return fail(Code::too_large,
                    name + std::to_string(launch.tasks.size()) + " tasks on one machine; at most " +
                        std::to_string(protocol::tasks_max) + " are possible");
    }
    if (launch.workdir.empty() || launch.workdir.front() != '/' || holds_nul(launch.workdir)) {
        return fail(Code::invalid,
                    name + "workdir '" + launch.workdir + "' is not an absolute path");
    }
    for (const Task& task : launch.tasks) {
        for (const std::string& path : {task.stdout_path, task.stderr_path}) {
            if (path.empty() || path.front() != '/' || holds_nul(path)) {
                return fail(Code::invalid,
                            name + "output file '" + path + "' is not an absolute path");
            }
        }
        if (const auto env = check_env(task.env); !env) return fail(env.error().at(name));
    }
    if (const auto env = check_env(launch.env); !env) return fail(env.error().at(name));
    return {};
}

std::string encode_launch(const Launch& launch,
                          const std::string& folder,
                          const std::string& cgroup,
                          std::int64_t open_files) {
    std::string bytes;
    put(bytes, protocol::launch_magic, "1");
    put(bytes, "attempt", text_of(launch.attempt));
    put(bytes, "workdir", launch.workdir);
    put(bytes, "limit_ms", limit_text(launch.limit));
    put(bytes, "grace_ms", std::to_string(std::max<std::int64_t>(launch.grace.count(), 0)));
    put(bytes,
        "output_limit",
        std::to_string(std::max<std::int64_t>(launch.output_limit.count, 0)));
    put(bytes, "cgroup", cgroup);
    put(bytes, "memory_asked", std::to_string(cgroup.empty() ? launch.memory_limit.count : 0));
    put(bytes, "open_files", std::to_string(open_files));
    for (const Task& task : launch.tasks) {
        put(bytes, "task", std::to_string(task.rank));
        put(bytes, "stdout", task.stdout_path);
        put(bytes, "stderr", task.stderr_path);
        std::map<std::string, std::string> env = launch.env;
        for (const auto& [name, value] : task.env)
            env[name] = value;
        env["WEIR_RUN_DIR"] = folder;
        for (const auto& [name, value] : env)
            put(bytes, "env", name + "=" + value);
    }
    put(bytes, "end", "");
    return bytes;
}

Result<AttemptEnd> parse_end(AttemptId attempt, std::string_view state) {
    const auto torn = [&](const char* why) {
        return fail(Code::io, "the end of attempt " + text_of(attempt) + " is damaged: " + why);
    };
    const std::string magic = std::string(protocol::end_magic) + "\n";
    const std::size_t begin = state.rfind(magic);
    if (begin == std::string_view::npos || (begin > 0 && state[begin - 1] != '\n')) {
        return fail(Code::not_found, "attempt " + text_of(attempt) + " has no end yet");
    }
    const std::string_view text = state.substr(begin);
    const std::size_t last = text.rfind("sum ");
    if (last == std::string_view::npos || text.back() != '\n') return torn("it is cut short");
    std::uint64_t sum = 0;
    if (!read_number(text.substr(last + 4, text.size() - last - 5), sum, 16) ||
        sum != protocol::checksum(text.data(), last)) {
        return torn("its checksum is wrong");
    }

    AttemptEnd end;
    end.attempt = attempt;
    bool has_kind = false;
    std::string_view rest = text.substr(magic.size(), last - magic.size());
    while (!rest.empty()) {
        const std::size_t stop = rest.find('\n');
        if (stop == std::string_view::npos) return torn("a line has no end");
        const std::string_view line = rest.substr(0, stop);
        rest.remove_prefix(stop + 1);
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos) return torn("a line has no value");
        const std::string_view key = line.substr(0, space);
        const std::string_view value = line.substr(space + 1);
        std::int64_t number = 0;
        if (key == "kind") {
            const auto kind = kind_from_name(value);
            if (!kind) return torn("its kind is unknown");
            end.kind = *kind;
            has_kind = true;
        } else if (key == "detail") {
            end.detail = std::string(value);
        } else if (key == "exit_code" && read_number(value, end.exit_code)) {
        } else if (key == "signal" && read_number(value, end.signal)) {
        } else if (key == "rank" && read_number(value, end.rank)) {
        } else if (key == "started_ms" && read_number(value, number)) {
            end.started_at = Time{Duration{number}};
        } else if (key == "ended_ms" && read_number(value, number)) {
            end.ended_at = Time{Duration{number}};
        } else if (key == "max_rss_bytes" && read_number(value, number)) {
            end.max_rss = Bytes{number};
        } else if (key == "cpu_ms" && read_number(value, number)) {
            end.cpu = Duration{number};
        } else if (key == "output_cut" && read_number(value, number)) {
            end.output_cut = number != 0;
        } else if (key == "machine_failed" && read_number(value, number)) {
            end.machine_failed = number != 0;
        } else if (key != "task") {  // per rank: for people who look into the folder
            return torn("a line cannot be understood");
        }
    }
    if (!has_kind) return torn("it has no kind");
    return end;
}

Result<void> write_whole(const std::string& path, std::string_view bytes, unsigned mode) {
    static std::atomic<unsigned> serial{0};
    const std::string temporary =
        path + "." + std::to_string(::getpid()) + "-" + std::to_string(serial++) + ".tmp";
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) return fail(io_error("cannot create", temporary));
    const auto give_up = [&](const char* verb) {
        Error error = io_error(verb, path);
        ::close(fd);
        ::unlink(temporary.c_str());
        return fail(std::move(error));
    };
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return give_up("cannot write");
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) return give_up("cannot rename into");
    ::close(fd);
    return {};
}

Result<std::string> read_rest(int fd, const std::string& path, std::size_t size_max) {
    std::string bytes;
    char buffer[16384];
    while (true) {
        const ssize_t count = ::read(fd, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail(read_error("cannot read", path));
        if (count == 0) return bytes;
        bytes.append(buffer, static_cast<std::size_t>(count));
        if (bytes.size() > size_max) {
            return fail(Code::too_large,
                        path + " is larger than " + std::to_string(size_max) +
                            " bytes, which no file of weir is");
        }
    }
}

Result<std::string> read_whole(const std::string& path, std::size_t size_max) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(read_error("cannot open", path));
    auto bytes = read_rest(fd, path, size_max);
    ::close(fd);
    return bytes;
}

}  // namespace weir::exec
