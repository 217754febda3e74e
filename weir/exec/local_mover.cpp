#include "weir/exec/local_mover.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "weir/base/log.hpp"

namespace weir::exec {
namespace {

namespace fs = std::filesystem;

// Disks and links are shared by all copies; more of them at a time would only make each slower.
constexpr std::size_t threads_count = 3;
constexpr std::size_t chunk_bytes = std::size_t{1} << 20;

std::string why(const std::string& what, const std::string& path) {
    return what + " " + path + ": " + std::strerror(errno);
}

bool is_there(const std::string& path) {
    struct stat seen {};
    return ::lstat(path.c_str(), &seen) == 0;
}

class File {
public:
    explicit File(int fd) : fd_(fd) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

private:
    int fd_;
};

// A whole tree, as it is: files, folders and links with their modes. Breaks off when asked to.
class TreeCopy {
public:
    explicit TreeCopy(const std::atomic<bool>& quit) : quit_(quit), chunk_(chunk_bytes) {}

    Result<void> copy(const std::string& from, const std::string& to) {
        if (quit_) return fail(Code::unavailable, "the hub is stopping");
        struct stat its {};
        if (::lstat(from.c_str(), &its) != 0) return fail(Code::io, why("cannot read", from));
        if (S_ISREG(its.st_mode)) return copy_file(from, to, its.st_mode);
        if (S_ISDIR(its.st_mode)) return copy_folder(from, to, its.st_mode);
        if (!S_ISLNK(its.st_mode)) {
            return fail(Code::unsupported,
                        from + " is neither a file nor a folder nor a link, so it is not copied");
        }
        std::error_code problem;
        fs::copy_symlink(from, to, problem);
        if (problem)
            return fail(Code::io, "cannot copy the link " + from + ": " + problem.message());
        return {};
    }

private:
    Result<void> copy_folder(const std::string& from, const std::string& to, mode_t mode) {
        // Its owner must be able to fill it; its own mode comes last.
        if (::mkdir(to.c_str(), 0700) != 0) return fail(Code::io, why("cannot make", to));
        std::error_code problem;
        fs::directory_iterator each(from, problem);
        while (!problem && each != fs::directory_iterator()) {
            const std::string name = each->path().filename().string();
            WEIR_CHECK(copy(from + "/" + name, to + "/" + name));
            each.increment(problem);
        }
        if (problem) return fail(Code::io, "cannot read " + from + ": " + problem.message());
        if (::chmod(to.c_str(), mode & 07777) != 0) return fail(Code::io, why("cannot set", to));
        return {};
    }

    Result<void> copy_file(const std::string& from, const std::string& to, mode_t mode) {
        const File source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        if (source.fd() < 0) return fail(Code::io, why("cannot read", from));
        File target(
            ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t{0600} | mode));
        if (target.fd() < 0) return fail(Code::io, why("cannot write", to));
        for (;;) {
            if (quit_) return fail(Code::unavailable, "the hub is stopping");
            const ssize_t got = ::read(source.fd(), chunk_.data(), chunk_.size());
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return fail(Code::io, why("cannot read", from));
            if (got == 0) break;
            for (ssize_t done = 0; done < got;) {
                const ssize_t put = ::write(
                    target.fd(), chunk_.data() + done, static_cast<std::size_t>(got - done));
                if (put < 0 && errno == EINTR) continue;
                if (put < 0) return fail(Code::io, why("cannot write", to));
                done += put;
            }
        }
        if (::fchmod(target.fd(), mode & 07777) != 0 || !target.close()) {
            return fail(Code::io, why("cannot write", to));
        }
        return {};
    }

    const std::atomic<bool>& quit_;
    std::vector<char> chunk_;
};

// Of its files; what cannot be seen counts as nothing.
Bytes size_of(const std::string& path) {
    struct stat its {};
    if (::lstat(path.c_str(), &its) != 0) return {};
    if (S_ISREG(its.st_mode)) return {static_cast<std::int64_t>(its.st_size)};
    if (!S_ISDIR(its.st_mode)) return {};
    Bytes sum;
    std::error_code problem;
    for (fs::recursive_directory_iterator each(path, problem), end; !problem && each != end;
         each.increment(problem)) {
        struct stat inner {};
        if (::lstat(each->path().c_str(), &inner) == 0 && S_ISREG(inner.st_mode)) {
            sum = sum + Bytes{static_cast<std::int64_t>(inner.st_size)};
        }
    }
    return sum;
}

Result<void> rename_to(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return fail(Code::io, why("cannot rename " + from + " to", to));
}

Result<void> clear(const std::string& path) {
    std::error_code problem;
    fs::remove_all(path, problem);
    if (problem) return fail(Code::io, "cannot delete " + path + ": " + problem.message());
    return {};
}

Result<void> make_folders(const std::string& root) {
    for (const char* below : {"", "/.weir", "/.weir/half", "/.weir/whole", "/.weir/gone"}) {
        std::error_code problem;
        fs::create_directories(root + below, problem);
        if (!problem) continue;
        return fail(Code::io, root + " cannot be made or used: " + problem.message());
    }
    return {};
}

// What was written is on the disk before it is called by its name.
Result<void> flush(const std::string& root) {
    const File folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.fd() < 0 || ::syncfs(folder.fd()) != 0)
        return fail(Code::io, why("cannot flush", root));
    return {};
}

}  // namespace

class LocalMover::Impl {
public:
    explicit Impl(OnMoved on_moved) : on_moved_(std::move(on_moved)) {}

    ~Impl() {
        quit_ = true;
        {
            const std::lock_guard lock(mutex_);
            tasks_.clear();
        }
        arrived_.notify_all();
        for (std::thread& thread : threads_)
            thread.join();
    }

    Result<void> open(const fleet::Fleet& fleet, const std::string& data_dir) {
        for (const fleet::Site& site : fleet.sites) {
            const std::string& root = site.storage.root;
            roots_[site.name] = root.empty() ? data_dir + "/storage/" + site.name : root;
            if (root.empty()) continue;
            if (const auto made = make_folders(root); !made) {
                return fail(made.error().at("the storage of site " + site.name));
            }
        }
        for (std::size_t i = 0; i < threads_count; ++i)
            threads_.emplace_back([this] { loop(); });
        return {};
    }

    void begin(const Move& move) { add({move, false}); }
    void remove(const std::string& dataset, const std::string& site) {
        add({{.dataset = dataset, .to = site, .from = {}, .path = {}}, true});
    }

    [[nodiscard]] std::string root_of(const std::string& site) const {
        const auto found = roots_.find(site);
        return found == roots_.end() ? "" : found->second;
    }

private:
    struct Task {
        Move move;
        bool removes = false;
        friend bool operator==(const Task&, const Task&) = default;
    };
    using Key = std::pair<std::string, std::string>;  // dataset and site

    static Key key_of(const Task& task) { return {task.move.dataset, task.move.to}; }

    void add(Task task) {
        {
            const std::lock_guard lock(mutex_);
            // The last that was asked for is what counts: asking for it again changes nothing.
            const Task* last = nullptr;
            if (const auto now = running_.find(key_of(task)); now != running_.end()) {
                last = &now->second;
            }
            for (const Task& waiting : tasks_)
                if (key_of(waiting) == key_of(task)) last = &waiting;
            if (last != nullptr && *last == task) return;
            tasks_.push_back(std::move(task));
        }
        arrived_.notify_one();
    }

    // The first whose dataset and site nobody is busy with.
    std::optional<Task> next(std::unique_lock<std::mutex>& lock) {
        for (;;) {
            if (quit_) return std::nullopt;
            for (auto task = tasks_.begin(); task != tasks_.end(); ++task) {
                if (running_.count(key_of(*task)) > 0) continue;
                Task taken = std::move(*task);
                tasks_.erase(task);
                running_.emplace(key_of(taken), taken);
                return taken;
            }
            arrived_.wait(lock);
        }
    }

    void loop() {
        for (;;) {
            std::optional<Task> task;
            {
                std::unique_lock lock(mutex_);
                task = next(lock);
            }
            if (!task) return;
            std::optional<MoveEnd> end;
            if (task->removes) {
                take_away(task->move);
            } else {
                end = carry_out(task->move);
            }
            {
                const std::lock_guard lock(mutex_);
                running_.erase(key_of(*task));
            }
            arrived_.notify_all();
            if (end && !quit_) on_moved_(*end);
        }
    }

    MoveEnd carry_out(const Move& move) {
        MoveEnd end{.dataset = move.dataset, .to = move.to, .problem = {}, .size = {}};
        const Result<void> moved = move.from.empty() ? take_over(move) : copy(move);
        if (moved) {
            end.size = size_of(root_of(move.to) + "/" + move.dataset);
        } else {
            end.problem = moved.error().message;
        }
        return end;
    }

    Result<std::string> known_root(const std::string& site) const {
        std::string root = root_of(site);
        if (root.empty()) return fail(Code::not_found, "site " + site + " has no storage here");
        WEIR_CHECK(make_folders(root));
        return root;
    }

    Result<void> copy(const Move& move) {
        WEIR_TRY(const std::string from, known_root(move.from));
        WEIR_TRY(const std::string to, known_root(move.to));
        const std::string source = from + "/" + move.dataset;
        if (!is_there(source)) {
            return fail(Code::not_found, "at site " + move.from + " there is nothing at " + source);
        }
        const std::string half = to + "/.weir/half/" + move.dataset;
        WEIR_CHECK(clear(half));
        // Its root may be a link that an operator has put there for a dataset that lies elsewhere.
        std::error_code problem;
        const fs::path real = fs::canonical(source, problem);
        if (problem) return fail(Code::io, "cannot read " + source + ": " + problem.message());
        WEIR_CHECK(TreeCopy(quit_).copy(real.string(), half));
        WEIR_CHECK(flush(to));
        return publish(half, move.dataset, to);
    }

    // Each state in which a crash can leave it is one of those below.
    Result<void> take_over(const Move& move) {
        WEIR_TRY(const std::string root, known_root(move.to));
        const std::string target = root + "/" + move.dataset;
        const std::string whole = root + "/.weir/whole/" + move.dataset;
        std::error_code problem;
        const bool is_link = fs::is_symlink(fs::symlink_status(move.path, problem));
        if (is_link) {
            if (fs::read_symlink(move.path, problem) != target) {
                return fail(Code::invalid,
                            move.path + " is a link; what becomes a dataset is a file or a folder");
            }
            if (is_there(whole)) return publish(whole, move.dataset, root);
            if (is_there(target)) return {};
            return fail(Code::not_found, "it was at " + target + ", and is there no more");
        }
        if (is_there(move.path)) {
            WEIR_CHECK(clear(whole));
            if (::rename(move.path.c_str(), whole.c_str()) != 0) {
                if (errno != EXDEV) return fail(Code::io, why("cannot move", move.path));
                const std::string half = root + "/.weir/half/" + move.dataset;
                WEIR_CHECK(clear(half));
                WEIR_CHECK(TreeCopy(quit_).copy(move.path, half));
                WEIR_CHECK(flush(root));
                WEIR_CHECK(rename_to(half, whole));
                WEIR_CHECK(clear(move.path));
            }
        } else if (!is_there(whole)) {
            return fail(Code::not_found, "there is nothing at " + move.path);
        }
        WEIR_CHECK(flush(root));
        // Nobody needs the link but people: where it cannot be made, the dataset is there.
        if (::symlink(target.c_str(), move.path.c_str()) != 0) {
            log::warn(why("no link to dataset " + move.dataset + " can be left at", move.path));
        }
        return publish(whole, move.dataset, root);
    }

    Result<void> publish(const std::string& whole,
                         const std::string& dataset,
                         const std::string& root) {
        const std::string target = root + "/" + dataset;
        if (is_there(target)) WEIR_CHECK(put_aside(target, dataset, root));
        WEIR_CHECK(rename_to(whole, target));
        WEIR_CHECK(flush(root));
        empty_bin(root);
        return {};
    }

    Result<void> put_aside(const std::string& target,
                           const std::string& dataset,
                           const std::string& root) {
        for (std::uint64_t number = 0;; ++number) {
            const std::string aside =
                root + "/.weir/gone/" + dataset + "." + std::to_string(number);
            if (!is_there(aside)) return rename_to(target, aside);
        }
    }

    static void empty_bin(const std::string& root) {
        std::error_code problem;
        for (const fs::directory_entry& entry :
             fs::directory_iterator(root + "/.weir/gone", problem))
            if (const auto cleared = clear(entry.path().string()); !cleared) {
                log::warn(cleared.error().message);
            }
    }

    // Two sites with one storage would take from each other what only one has given up.
    bool is_shared(const std::string& site, const std::string& root) const {
        std::error_code problem;
        for (const auto& [other, its] : roots_)
            if (other != site && fs::equivalent(root, its, problem)) return true;
        return false;
    }

    void take_away(const Move& move) {
        const std::string root = root_of(move.to);
        const std::string target = root + "/" + move.dataset;
        if (root.empty() || !is_there(target) || is_shared(move.to, root)) return;
        const auto aside = put_aside(target, move.dataset, root);
        if (!aside) log::warn(aside.error().message);
        empty_bin(root);
    }

    const OnMoved on_moved_;
    std::map<std::string, std::string> roots_;  // by site; set by open()
    std::atomic<bool> quit_ = false;
    std::vector<std::thread> threads_;

    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<Task> tasks_;       // guarded by mutex_
    std::map<Key, Task> running_;  // guarded by mutex_
};

LocalMover::LocalMover(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalMover::~LocalMover() = default;

Result<std::unique_ptr<LocalMover>> LocalMover::open(const fleet::Fleet& fleet,
                                                     const std::string& data_dir,
                                                     OnMoved on_moved) {
    auto impl = std::make_unique<Impl>(std::move(on_moved));
    WEIR_CHECK(impl->open(fleet, data_dir));
    return std::unique_ptr<LocalMover>(new LocalMover(std::move(impl)));
}

void LocalMover::begin(const Move& move) {
    impl_->begin(move);
}
void LocalMover::remove(const std::string& dataset, const std::string& site) {
    impl_->remove(dataset, site);
}
bool LocalMover::has(const std::string& dataset, const std::string& site) {
    const std::string root = impl_->root_of(site);
    // A link to nowhere is nothing.
    std::error_code problem;
    return !root.empty() && fs::exists(root + "/" + dataset, problem);
}
bool LocalMover::is_made(const std::string& path) {
    std::error_code problem;
    const fs::file_status its = fs::symlink_status(path, problem);
    return fs::exists(its) && !fs::is_symlink(its);
}
std::string LocalMover::folder_of(const std::string& site) const {
    return impl_->root_of(site);
}

}  // namespace weir::exec
