// The hub, killed with SIGKILL again and again while clients submit and jobs end, over SQLite and
// an executor whose truth is in files.
//
// The simulated histories in weir/hub choose where the process dies; here nobody chooses: kernel,
// threads and database are the real ones. A child process is the hub with its clients, the parent
// hears the acknowledgements through a pipe and kills. In the end a last child is left alone until
// every job has ended, and the parent counts: every acknowledged job is there under the id that was
// told, every job was executed exactly once, and the journal replays.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "weir/base/log.hpp"
#include "weir/base/random.hpp"
#include "weir/hub/hub.hpp"
#include "weir/hub/replay.hpp"
#include "weir/store/sqlite_store.hpp"

namespace weir::hub {
namespace {

namespace fs = std::filesystem;

constexpr int clients = 4;
constexpr int jobs_each = 150;

std::int64_t milliseconds_now() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// An attempt is a file with one line for each time that it was started: when that execution ends.
// So attempts outlive the hub, and what is on disk is what happened. Unlike a real executor it does
// start an attempt again when it is told to, and so bears witness against a hub that does that.
class FileExecutor : public exec::Executor {
public:
    explicit FileExecutor(std::string folder) : folder_(std::move(folder)) {
        fs::create_directories(folder_);
    }

    Result<void> start(const exec::Launch& launch) override {
        const std::string path = path_of(launch.attempt);
        const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (file < 0) return fail(Code::io, "cannot open " + path);
        const std::int64_t lasts_ms = static_cast<std::int64_t>(launch.attempt.job.value * 7 % 40);
        const std::string ends = std::to_string(milliseconds_now() + lasts_ms) + "\n";
        const bool written =
            write(file, ends.data(), ends.size()) == static_cast<ssize_t>(ends.size());
        close(file);
        if (!written) return fail(Code::io, "cannot write " + path);
        watch(launch.attempt);
        return {};
    }
    Result<void> stop(exec::AttemptId, const exec::Stop&) override { return {}; }
    exec::Found find(exec::AttemptId attempt) override {
        const auto ends = end_of(attempt);
        if (!ends) return {};
        if (*ends > milliseconds_now()) {
            watch(attempt);
            return {.presence = exec::Presence::running, .end = {}};
        }
        return {.presence = exec::Presence::ended, .end = report_of(attempt, *ends)};
    }
    void forget(exec::AttemptId) override {}

    // The reports that are due. Called by a thread of its own.
    std::vector<exec::AttemptEnd> take_ended() {
        std::vector<exec::AttemptEnd> ended;
        const std::lock_guard lock(mutex_);
        for (auto attempt = watched_.begin(); attempt != watched_.end();) {
            const auto ends = end_of(*attempt);
            if (!ends || *ends > milliseconds_now()) {
                ++attempt;
                continue;
            }
            ended.push_back(report_of(*attempt, *ends));
            attempt = watched_.erase(attempt);
        }
        return ended;
    }

private:
    [[nodiscard]] std::string path_of(exec::AttemptId attempt) const {
        return folder_ + "/" + exec::text_of(attempt);
    }
    void watch(exec::AttemptId attempt) {
        const std::lock_guard lock(mutex_);
        watched_.insert(attempt);
    }
    // None when it was never started: a hub that died before it wrote the line executed nothing.
    [[nodiscard]] std::optional<std::int64_t> end_of(exec::AttemptId attempt) const {
        std::ifstream file(path_of(attempt));
        std::int64_t ends = 0;
        if (!(file >> ends)) return std::nullopt;
        return ends;
    }
    static exec::AttemptEnd report_of(exec::AttemptId attempt, std::int64_t ends) {
        exec::AttemptEnd end;
        end.attempt = attempt;
        end.ended_at = Time{Duration{ends}};
        return end;
    }

    std::string folder_;
    std::mutex mutex_;
    std::set<exec::AttemptId> watched_;
};

fleet::Fleet fleet_of_eight() {
    fleet::Fleet fleet;
    fleet.sites.push_back({.name = "local", .executor = "local", .power_watts = 0});
    fleet::Pool pool;
    pool.name = "main";
    pool.site = "local";
    pool.nodes = 8;
    pool.cpus_milli = 2000;
    fleet.pools.push_back(pool);
    return fleet;
}

Submission job_number(int client, int number) {
    Submission submission;
    submission.spec.name = "job-" + std::to_string(client) + "-" + std::to_string(number);
    submission.spec.tenant = "lab";
    submission.spec.script = "true";
    submission.spec.workdir = "/";
    submission.spec.limit = seconds(60);
    submission.spec.retries = 3;
    submission.spec.gang.replicas = static_cast<std::uint32_t>(1 + number % 3);
    submission.user = "ada";
    submission.key = submission.spec.name;
    submission.body_digest = submission.spec.name;
    return submission;
}

struct Acknowledgement {
    int client = 0;
    int number = 0;
    std::uint64_t id = 0;
};

// The child: hub, clients, reports. Each client goes on from where its acknowledgements stopped,
// and sends the last one again, as one that heard no answer does. Returns when everything ended.
int be_the_hub(const std::string& folder, int acknowledge_to, const std::vector<int>& heard) {
    log::open(folder + "/hub.log", log::Level::warn);
    auto store = store::SqliteStore::open(folder + "/weir.db");
    if (!store) return 2;
    FileExecutor executor(folder + "/runs");
    Options options;
    options.data_dir = folder;
    options.housekeeping = Duration{50};
    auto hub = Hub::open(options, fleet_of_eight(), **store, executor);
    if (!hub) return 3;

    std::atomic<bool> stop{false};
    std::thread reports([&] {
        while (!stop) {
            for (const exec::AttemptEnd& end : executor.take_ended())
                (*hub)->attempt_ended(end);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    });
    std::atomic<int> refused{0};
    std::vector<std::thread> threads;
    for (int client = 0; client < clients; ++client) {
        threads.emplace_back([&, client] {
            for (int number = std::max(heard[static_cast<std::size_t>(client)] - 1, 0);
                 number < jobs_each;
                 ++number) {
                std::promise<Result<Accepted>> promise;
                (*hub)->submit(job_number(client, number), [&](Result<Accepted> accepted) {
                    promise.set_value(std::move(accepted));
                });
                const auto accepted = promise.get_future().get();
                if (!accepted) {
                    ++refused;
                    return;
                }
                const Acknowledgement told{client, number, accepted->first.value};
                if (write(acknowledge_to, &told, sizeof told) != sizeof told) ++refused;
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    while (refused == 0) {
        std::promise<Status> promise;
        (*hub)->status([&](const Result<Status>& status) { promise.set_value(*status); });
        const Status status = promise.get_future().get();
        if (status.jobs_ended == status.jobs_accepted) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    stop = true;
    reports.join();
    hub->reset();
    return refused == 0 ? 0 : 4;
}

class HubKill : public testing::Test {
protected:
    HubKill() {
        std::string pattern = (fs::temp_directory_path() / "weir-faults-XXXXXX").string();
        folder = mkdtemp(pattern.data());
    }
    ~HubKill() override { fs::remove_all(folder); }

    // Runs the hub until that many acknowledgements were heard and kills it then (0 = at some
    // moment of its start, none = let it end by itself).
    int run_hub(std::optional<int> kill_after) {
        int ends[2];
        EXPECT_EQ(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            _exit(be_the_hub(folder, ends[1], heard));
        }
        close(ends[1]);
        if (kill_after == 0) {
            std::this_thread::sleep_for(std::chrono::microseconds(random.between(0, 30'000)));
            kill(child, SIGKILL);
        }
        int acknowledgements = 0;
        Acknowledgement told;
        while (read(ends[0], &told, sizeof told) == sizeof told) {
            const auto [known, added] =
                acknowledged.try_emplace({told.client, told.number}, told.id);
            EXPECT_EQ(known->second, told.id)
                << "job " << told.number << " of client " << told.client << " has two ids";
            int& next = heard[static_cast<std::size_t>(told.client)];
            next = std::max(next, told.number + 1);
            if (++acknowledgements == kill_after) kill(child, SIGKILL);
        }
        close(ends[0]);
        int status = 0;
        waitpid(child, &status, 0);
        return status;
    }

    Random random{20261124};
    std::string folder;
    std::vector<int> heard = std::vector<int>(clients, 0);
    std::map<std::pair<int, int>, std::uint64_t> acknowledged;
};

TEST_F(HubKill, LosesNoAcknowledgedJobAndExecutesEachOnceHoweverOftenItIsKilled) {
    int kills = 0;
    for (int round = 0; round < 40 && acknowledged.size() < clients * jobs_each; ++round) {
        const int status =
            run_hub(random.chance(0.3) ? 0 : static_cast<int>(random.between(1, 80)));
        if (WIFSIGNALED(status)) {
            ASSERT_EQ(WTERMSIG(status), SIGKILL) << "round " << round;
            ++kills;
        } else {
            ASSERT_EQ(WEXITSTATUS(status), 0) << "round " << round;
        }
    }
    const int status = run_hub(std::nullopt);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 0);
    EXPECT_GE(kills, 5);
    EXPECT_EQ(acknowledged.size(), static_cast<std::size_t>(clients * jobs_each));

    auto store = store::SqliteStore::open_to_read(folder + "/weir.db");
    ASSERT_TRUE(store) << store.error().message;
    const auto report = replay(**store, nullptr);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_FALSE(report->difference) << report->difference->sentence;
    EXPECT_EQ(report->jobs, acknowledged.size()) << "a job was accepted twice";
    EXPECT_EQ(report->ended, report->jobs);

    std::set<std::string> executed;
    for (const auto& file : fs::directory_iterator(folder + "/runs")) {
        const std::string attempt = file.path().filename().string();
        executed.insert(attempt);
        std::ifstream starts(file.path());
        EXPECT_EQ(std::count(std::istreambuf_iterator<char>(starts), {}, '\n'), 1)
            << "attempt " << attempt << " was not started exactly once";
    }
    EXPECT_EQ(executed.size(), acknowledged.size());
    for (const auto& [whose, id] : acknowledged) {
        EXPECT_EQ(executed.count(std::to_string(id) + ".1"), 1U)
            << "job " << id << " was not executed, or under another attempt";
        EXPECT_TRUE((*(*store)->find("job", std::to_string(id))).has_value());
    }
    EXPECT_EQ((*store)->list("job", "succeeded", 100'000)->size(), acknowledged.size());
}

}  // namespace
}  // namespace weir::hub
