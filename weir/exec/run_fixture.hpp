// A little language for tests with real processes: a data folder of its own, an executor, and
// what it reported.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "weir/exec/local_executor.hpp"
#include "weir/exec/run_files.hpp"
#include "weir/exec/shepherd_tree.hpp"

namespace weir::exec::testing {

inline std::string read_text(const std::string& path) {
    std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

inline bool process_lives(pid_t pid) {
    shepherd::ProcessEntry entry;
    return shepherd::read_process(pid, entry) && entry.state != 'Z' && entry.state != 'X';
}

// Waits for what must come; tests fail by the assertion that follows, not by the clock.
template <class Condition>
bool eventually(Condition condition) {
    for (int i = 0; i < 6000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return condition();
}

class Runs {
public:
    explicit Runs(const std::string& below = "") {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "weir-exec-XXXXXX").string();
        root_ = ::mkdtemp(pattern.data());
        data_ = below.empty() ? root_ : root_ + "/" + below;
        std::filesystem::create_directories(data_);
    }
    ~Runs() {
        executor_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }
    Runs(const Runs&) = delete;
    Runs& operator=(const Runs&) = delete;

    [[nodiscard]] const std::string& folder() const { return data_; }
    [[nodiscard]] std::string path(const std::string& name) const { return data_ + "/" + name; }

    LocalExecutor& executor() {
        if (!executor_) open();
        return *executor_;
    }
    void open(CgroupDelegation delegation = {}, const std::string& shepherd = "") {
        executor_.reset();
        LocalExecutor::Options options;
        options.data_dir = data_;
        options.shepherd =
            shepherd.empty() ? std::string(WEIR_BINARY_DIR) + "/weir-shepherd" : shepherd;
        options.delegation = std::move(delegation);
        options.rescan = Duration{100};
        auto opened = LocalExecutor::open(options, [this](const AttemptEnd& end) {
            const std::lock_guard lock(mutex_);
            ends_.push_back(end);
            changed_.notify_all();
        });
        ASSERT_TRUE(opened) << opened.error().message;
        executor_ = std::move(*opened);
    }

    // One rank per entry of `ranks`; rank r writes to out.<job>.<r> and err.<job>.<r>.
    Launch launch(std::uint64_t job, const std::string& script, std::uint32_t ranks = 1) {
        Launch launch;
        launch.attempt = {JobId{job}, 1};
        launch.script = script;
        launch.workdir = data_;
        launch.env = {{"PATH", "/usr/bin:/bin"}};
        launch.grace = seconds(20);
        for (std::uint32_t rank = 0; rank < ranks; ++rank) {
            const std::string tail = std::to_string(job) + "." + std::to_string(rank);
            launch.tasks.push_back({rank,
                                    "here",
                                    {{"RANK", std::to_string(rank)}},
                                    path("out." + tail),
                                    path("err." + tail)});
        }
        return launch;
    }

    AttemptEnd run(const Launch& launch) {
        const auto started = executor().start(launch);
        EXPECT_TRUE(started) << started.error().message;
        return wait(launch.attempt);
    }

    AttemptEnd wait(AttemptId attempt) {
        std::unique_lock lock(mutex_);
        AttemptEnd found;
        const bool came = changed_.wait_for(lock, std::chrono::seconds(60), [&] {
            for (const AttemptEnd& end : ends_) {
                if (end.attempt == attempt) {
                    found = end;
                    return true;
                }
            }
            return false;
        });
        EXPECT_TRUE(came) << "no end of " << text_of(attempt);
        return found;
    }

    std::size_t reports(AttemptId attempt) {
        const std::lock_guard lock(mutex_);
        std::size_t count = 0;
        for (const AttemptEnd& end : ends_)
            count += end.attempt == attempt ? 1u : 0u;
        return count;
    }

    std::string out(std::uint64_t job, std::uint32_t rank = 0) {
        return read_text(path("out." + std::to_string(job) + "." + std::to_string(rank)));
    }
    std::string err(std::uint64_t job, std::uint32_t rank = 0) {
        return read_text(path("err." + std::to_string(job) + "." + std::to_string(rank)));
    }

    // Waits until the script wrote a number into the file.
    pid_t pid_in(const std::string& name) {
        EXPECT_TRUE(eventually([&] {
            return read_text(path(name)).find('\n') != std::string::npos;
        })) << name;
        return static_cast<pid_t>(std::atoi(read_text(path(name)).c_str()));
    }
    pid_t shepherd_of(std::uint64_t job) {
        const std::string started = path("runs/" + std::to_string(job) + ".1/state");
        EXPECT_TRUE(
            eventually([&] { return read_text(started).find("task") != std::string::npos; }));
        return static_cast<pid_t>(std::atoi(read_text(started).c_str() + 9));
    }

private:
    std::string root_;
    std::string data_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<AttemptEnd> ends_;
    std::unique_ptr<LocalExecutor> executor_;
};

}  // namespace weir::exec::testing
