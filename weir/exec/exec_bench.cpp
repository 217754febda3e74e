// How many trivial jobs a second go through start() to the callback, and how long one takes.
//
// Estimate: a job is two small files, one spawn (0.3 ms), one fsync before and one after (0.4 ms
// each on a good disk), one fork and exec of /bin/sh (0.7 ms): about 2 ms, of which the fsyncs
// wait rather than compute, so two at a time on two cores should pass 500 jobs/s.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>

#include "weir/exec/local_executor.hpp"

namespace weir::exec {
namespace {

using SteadyClock = std::chrono::steady_clock;

void trivial_jobs(benchmark::State& state) {
    const auto at_once = static_cast<std::size_t>(state.range(0));
    std::string data = (std::filesystem::temp_directory_path() / "weir-bench-XXXXXX").string();
    if (::mkdtemp(data.data()) == nullptr) {
        state.SkipWithError("no temporary folder");
        return;
    }
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t running = 0;
    std::size_t failed = 0;
    std::map<std::uint64_t, SteadyClock::time_point> started;
    std::vector<double> latencies_ms;
    auto executor = LocalExecutor::open({data, "", {}, seconds(2)}, [&](const AttemptEnd& end) {
        const std::lock_guard lock(mutex);
        --running;
        if (!end.succeeded()) ++failed;
        const std::chrono::duration<double, std::milli> took =
            SteadyClock::now() - started.at(end.attempt.job.value);
        latencies_ms.push_back(took.count());
        changed.notify_one();
    });
    if (!executor) {
        state.SkipWithError(executor.error().message.c_str());
        return;
    }
    double start_ms = 0;
    std::uint64_t job = 0;
    for (auto _ : state) {
        {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return running < at_once; });
            ++running;
            started[++job] = SteadyClock::now();
        }
        Launch launch;
        launch.attempt = {JobId{job}, 1};
        launch.script = "true";
        launch.workdir = "/";
        launch.env = {{"PATH", "/usr/bin:/bin"}};
        launch.output_limit = mebibytes(64);
        const std::string folder = (*executor)->folder_of(launch.attempt);
        launch.tasks = {{0, "here", {{"RANK", "0"}}, folder + "/stdout.0", folder + "/stderr.0"}};
        const auto before = SteadyClock::now();
        if (!(*executor)->start(launch)) state.SkipWithError("start() failed");
        start_ms += std::chrono::duration<double, std::milli>(SteadyClock::now() - before).count();
    }
    {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return running == 0; });
    }
    std::sort(latencies_ms.begin(), latencies_ms.end());
    const auto quantile = [&](double q) {
        return latencies_ms[static_cast<std::size_t>(q *
                                                     static_cast<double>(latencies_ms.size() - 1))];
    };
    state.counters["jobs/s"] =
        benchmark::Counter(static_cast<double>(job), benchmark::Counter::kIsRate);
    state.counters["start_call_ms"] = start_ms / static_cast<double>(job);
    state.counters["end_p50_ms"] = quantile(0.5);
    state.counters["end_p99_ms"] = quantile(0.99);
    state.counters["failed"] = static_cast<double>(failed);
    executor->reset();
    std::filesystem::remove_all(data);
}
BENCHMARK(trivial_jobs)->Arg(1)->Arg(2)->Arg(4)->Iterations(1000)->UseRealTime();

}  // namespace
}  // namespace weir::exec
