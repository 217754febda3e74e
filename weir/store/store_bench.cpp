// What a durable commit costs, single and shared by a group: with one fsync of about 3 ms, some
// 300 commits a second; 64 entries that share one cost little more than the fsync.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>

#include "weir/store/memory_store.hpp"
#include "weir/store/sqlite_store.hpp"

namespace weir::store {
namespace {

namespace fs = std::filesystem;

// Entries of 400 bytes, about the size of a submission in the journal.
void append_groups(benchmark::State& state, Store& store) {
    const auto group = static_cast<std::size_t>(state.range(0));
    const std::string body(400, 'x');
    for (auto _ : state) {
        Batch batch;
        batch.entries.resize(group, Entry{.sequence = 0, .at = Time{}, .kind = "k", .body = body});
        if (const auto appended = store.append(batch); !appended) {
            state.SkipWithError(appended.error().message.c_str());
            break;
        }
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
    state.counters["commits/s"] =
        benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void sqlite_append(benchmark::State& state) {
    // In the working folder, because /tmp may be memory, where an fsync costs nothing.
    std::string pattern = (fs::current_path() / "weir-bench-XXXXXX").string();
    const std::string folder = mkdtemp(pattern.data());
    {
        auto store = SqliteStore::open(folder + "/weir.db");
        if (!store) {
            state.SkipWithError(store.error().message.c_str());
        } else {
            append_groups(state, **store);
        }
    }
    fs::remove_all(folder);
}
BENCHMARK(sqlite_append)->Arg(1)->Arg(8)->Arg(64)->UseRealTime();

void memory_append(benchmark::State& state) {
    MemoryStore store;
    append_groups(state, store);
}
BENCHMARK(memory_append)->Arg(64)->Iterations(2000)->UseRealTime();

}  // namespace
}  // namespace weir::store
