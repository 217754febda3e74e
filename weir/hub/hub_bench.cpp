// What the hub costs without the network: durable submissions from eight clients, trivial jobs from
// submission to recorded end, and the replay of a long journal.
//
// Estimate: a turn is one fsync (about 1 to 3 ms) shared by what arrived meanwhile, so eight
// clients that each wait for their answer get about eight submissions per fsync: 2,500 to 8,000 a
// second. Without the disk, a job costs its JSON: some 100 us in all.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "weir/hub/fake_executor.hpp"
#include "weir/hub/hub.hpp"
#include "weir/hub/keeper.hpp"
#include "weir/hub/replay.hpp"
#include "weir/store/memory_store.hpp"
#include "weir/store/sqlite_store.hpp"

namespace weir::hub {
namespace {

namespace fs = std::filesystem;

fleet::Fleet one_machine() {
    fleet::Fleet fleet;
    fleet.sites.push_back({.name = "local", .executor = "local", .power_watts = 0});
    fleet::Pool pool;
    pool.name = "local";
    pool.site = "local";
    pool.chip = "cpu";
    pool.nodes = 1;
    pool.chips_per_node = 2;
    pool.cpus_milli = 64'000;
    pool.memory = gibibytes(256);
    fleet.pools.push_back(pool);
    return fleet;
}

Submission trivial_job(std::uint64_t number) {
    Submission submission;
    submission.spec.name = "job-" + std::to_string(number % 1000);
    submission.spec.tenant = "lab";
    submission.spec.script = "true";
    submission.spec.workdir = "/tmp";
    submission.spec.limit = seconds(60);
    submission.spec.env = {{"OMP_NUM_THREADS", "8"}, {"INPUT", "/data/input/case.nml"}};
    submission.user = "ada";
    return submission;
}

Message submission_of(std::uint64_t number) {
    SubmitMessage message;
    message.submissions.push_back(trivial_job(number));
    message.reply = [](const Result<std::vector<Accepted>>&) {};
    return message;
}

// In the working folder, because /tmp may be memory, where an fsync costs nothing.
class Folder {
public:
    Folder() {
        std::string pattern = (fs::current_path() / "weir-bench-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~Folder() { fs::remove_all(path_); }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

Options options_in(const std::string& folder) {
    Options options;
    options.data_dir = folder;
    return options;
}

// Ends every attempt the moment it starts, through the hub's mailbox.
class InstantExecutor : public exec::Executor {
public:
    Result<void> start(const exec::Launch& launch) override {
        exec::AttemptEnd end;
        end.attempt = launch.attempt;
        if (on_end) on_end(end);
        return {};
    }
    Result<void> stop(exec::AttemptId, const exec::Stop&) override { return {}; }
    exec::Found find(exec::AttemptId) override {
        return {.presence = exec::Presence::running, .end = {}};
    }
    void forget(exec::AttemptId) override {}
    exec::OnEnd on_end;
};

void durable_submissions(benchmark::State& state) {
    const Folder folder;
    auto store = store::SqliteStore::open(folder.path() + "/weir.db");
    InstantExecutor executor;
    auto hub = Hub::open(options_in(folder.path()), one_machine(), **store, executor);
    std::atomic<std::uint64_t> number{0};
    const int clients = static_cast<int>(state.range(0));
    constexpr int each = 250;
    for (auto _ : state) {
        std::vector<std::thread> threads;
        for (int client = 0; client < clients; ++client) {
            threads.emplace_back([&] {
                for (int i = 0; i < each; ++i) {
                    std::promise<bool> promise;
                    (*hub)->submit(trivial_job(number++), [&](const Result<Accepted>& answer) {
                        promise.set_value(answer.has_value());
                    });
                    if (!promise.get_future().get()) state.SkipWithError("refused");
                }
            });
        }
        for (std::thread& thread : threads)
            thread.join();
    }
    hub->reset();
    state.SetItemsProcessed(state.iterations() * clients * each);
}
BENCHMARK(durable_submissions)->Arg(1)->Arg(8)->UseRealTime()->Unit(benchmark::kMillisecond);

void jobs_from_submission_to_recorded_end(benchmark::State& state) {
    const Folder folder;
    auto store = store::SqliteStore::open(folder.path() + "/weir.db");
    InstantExecutor executor;
    auto hub = Hub::open(options_in(folder.path()), one_machine(), **store, executor);
    Hub& its_hub = **hub;
    executor.on_end = [&its_hub](const exec::AttemptEnd& end) { its_hub.attempt_ended(end); };
    std::mutex mutex;
    std::condition_variable done;
    std::int64_t ended = 0;
    const auto handle = its_hub.listen([&](const Change& change) {
        if (!is_final(change.state)) return;
        const std::lock_guard lock(mutex);
        ++ended;
        done.notify_one();
    });
    std::int64_t wanted = 0;
    constexpr int jobs = 1000;
    for (auto _ : state) {
        wanted += jobs;
        for (int i = 0; i < jobs; ++i) {
            its_hub.submit(trivial_job(static_cast<std::uint64_t>(i)),
                           [](const Result<Accepted>&) {});
        }
        std::unique_lock lock(mutex);
        done.wait(lock, [&] { return ended >= wanted; });
    }
    its_hub.unlisten(handle);
    hub->reset();
    state.SetItemsProcessed(state.iterations() * jobs);
}
BENCHMARK(jobs_from_submission_to_recorded_end)->UseRealTime()->Unit(benchmark::kMillisecond);

// Without disk and threads: deciding and journalling alone. Each turn submits a group and hears the
// ends of the one before.
void decide_and_journal(benchmark::State& state) {
    store::MemoryStore memory;
    FakeExecutor executor;
    Time now = at_seconds(1'000'000);
    auto keeper = Keeper::open(
        options_in("/data"), one_machine(), memory, executor, nullptr, {now, Duration{}});
    std::uint64_t number = 0;
    const auto group = state.range(0);
    for (auto _ : state) {
        std::vector<Message> messages;
        for (const exec::AttemptId id : executor.alive()) {
            messages.emplace_back(EndMessage{executor.finish(id, 0, now)});
            executor.attempts.erase(id);
        }
        for (std::int64_t i = 0; i < group; ++i) {
            messages.emplace_back(submission_of(number++));
        }
        now += Duration{1};
        (*keeper)->turn(std::move(messages), {now, Duration{}});
    }
    state.SetItemsProcessed(state.iterations() * group);
}
BENCHMARK(decide_and_journal)->Arg(1)->Arg(32)->Unit(benchmark::kMicrosecond);

void replay_100k_jobs(benchmark::State& state) {
    const Folder folder;
    auto store = store::SqliteStore::open(folder.path() + "/weir.db");
    FakeExecutor executor;
    Time now = at_seconds(1'000'000);
    {
        auto keeper = Keeper::open(
            options_in("/data"), one_machine(), **store, executor, nullptr, {now, Duration{}});
        for (std::uint64_t number = 0; number < 100'000;) {
            std::vector<Message> messages;
            for (const exec::AttemptId id : executor.alive()) {
                messages.emplace_back(EndMessage{executor.finish(id, 0, now)});
                executor.attempts.erase(id);
            }
            for (int i = 0; i < 64; ++i) {
                messages.emplace_back(submission_of(number++));
            }
            now += Duration{1};
            (*keeper)->turn(std::move(messages), {now, Duration{}});
        }
        JobFilter filter;
        filter.limit = 100;
        const auto before = std::chrono::steady_clock::now();
        if (!(*keeper)->jobs(filter)) state.SkipWithError("cannot list");
        state.counters["list_100_ms"] =
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before)
                .count();
    }
    state.counters["MB"] = static_cast<double>(fs::file_size(folder.path() + "/weir.db")) / 1e6;
    std::uint64_t entries = 0;
    for (auto _ : state) {
        const auto report = replay(**store, nullptr);
        if (!report || report->difference) state.SkipWithError("the replay differs");
        if (report) entries = report->entries;
    }
    state.counters["entries"] = static_cast<double>(entries);
}
BENCHMARK(replay_100k_jobs)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace weir::hub
