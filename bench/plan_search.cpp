// How fast does the planner answer?
//
//     bench_plan_search [--runs N] [--json]
//
// On one thread: the whole search for GPT-3 175B on 4,096 A100 with a batch of 4,096, and for
// DeepSeek-V3 on 2,048 and 8,192 H800 and H100; one prediction; throughput() when it knows the
// answer; and two kinds of chip in one job. Each figure is the median of the runs; of predictions
// and look-ups, of many in a row.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "weir/catalog/catalog.hpp"
#include "weir/catalog/model.hpp"
#include "weir/plan/machine.hpp"
#include "weir/plan/search.hpp"
#include "weir/plan/training.hpp"

#include "bench/arguments.hpp"

namespace {

using namespace weir;
using namespace weir::plan;

template <class T>
T value_of_result(Result<T> result) {
    if (result.has_value()) return std::move(result).value();
    fmt::print(stderr, "bench_plan_search: {}\n", result.error().message);
    std::exit(2);
}

double seconds_of(const auto& work) {
    const auto began = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct Row {
    std::string question;
    double target = 0;
    double measured = 0;
    std::string unit;
    std::string answer;
};

Machine machine(const std::string& chip) {
    const catalog::ChipRecord* const record = catalog::Catalog::built_in().find(chip);
    if (record == nullptr) {
        fmt::print(stderr, "bench_plan_search: chip {} is not in the catalogue\n", chip);
        std::exit(2);
    }
    return value_of_result(machine_of(*record));
}

TrainingJob job(const std::string& model, std::uint32_t sequence, std::uint32_t batch) {
    const catalog::Model* const shape = catalog::find_model(model);
    if (shape == nullptr) {
        fmt::print(stderr, "bench_plan_search: model {} is not in the catalogue\n", model);
        std::exit(2);
    }
    return {.model = *shape, .sequence = sequence, .global_batch = batch};
}

Row searched(const std::string& question,
             const TrainingJob& job,
             const std::string& chip,
             std::uint64_t chips,
             double target_ms,
             std::uint64_t runs) {
    const TrainingModel model(job, machine(chip));
    SearchOptions options;
    options.chips = chips;
    SearchResult result;
    std::vector<double> times;
    for (std::uint64_t i = 0; i < runs; ++i)
        times.push_back(seconds_of([&] { result = value_of_result(search(model, options)); }));
    std::string answer = fmt::format(
        "{:.3g} strategies, {:.0f} of them one by one", result.considered, result.predicted);
    if (!result.plans.empty()) {
        const Plan& best = result.plans.front();
        answer += fmt::format("; {:.3g} s a step, {:.1f} % MFU: {}",
                              best.prediction.step_s,
                              100 * best.prediction.mfu,
                              text_of(best.strategy));
    }
    return {question, target_ms, 1e3 * median(times), "ms", answer};
}

Row predicted(const std::string& question,
              const TrainingJob& job,
              const std::string& chip,
              const Strategy& strategy,
              double target_us) {
    const TrainingModel model(job, machine(chip));
    std::vector<double> times;
    double sum = 0;
    for (int run = 0; run < 9; ++run) {
        constexpr int many = 20000;
        const double seconds = seconds_of([&] {
            for (int i = 0; i < many; ++i)
                sum += model.predict(strategy).step_s;
        });
        times.push_back(seconds / many);
    }
    return {question, target_us, 1e6 * median(times), "us", sum > 0 ? "" : "no time"};
}

}  // namespace

int main(int count, char** words) {
    bench::Arguments given("bench_plan_search", count, words);
    const bool json = given.has("--json");
    const std::uint64_t runs = given.number("--runs", 5, 1000);
    given.no_more();

    std::vector<Row> rows;
    const TrainingJob gpt3 = job("gpt3-175b", 2048, 4096);
    const TrainingJob deepseek = job("deepseek-v3", 4096, 15360);
    Strategy dense;
    dense.tp = 8;
    dense.pp = 16;
    dense.dp = 32;
    dense.zero = 1;
    dense.sequence_parallel = true;
    Strategy moe;
    moe.pp = 16;
    moe.dp = 128;
    moe.ep = 64;
    moe.zero = 1;
    rows.push_back(predicted("one prediction, gpt3-175b", gpt3, "a100-sxm-80g", dense, 2));
    rows.push_back(predicted("one prediction, deepseek-v3", deepseek, "h800", moe, 2));
    rows.push_back(searched(
        "gpt3-175b, 4,096 a100-sxm-80g, batch 4,096", gpt3, "a100-sxm-80g", 4096, 200, runs));
    for (const std::uint64_t chips : {2048, 8192}) {
        for (const std::string chip : {"h800", "h100-sxm-80g"}) {
            rows.push_back(searched(fmt::format("deepseek-v3, {} {}, batch 15,360", chips, chip),
                                    deepseek,
                                    chip,
                                    chips,
                                    1000,
                                    runs));
        }
    }

    if (json) {
        nlohmann::json all = nlohmann::json::array();
        for (const Row& row : rows) {
            all.push_back({{"question", row.question},
                           {"target", row.target},
                           {"measured", row.measured},
                           {"unit", row.unit},
                           {"answer", row.answer}});
        }
        fmt::print("{}\n", all.dump(1));
        return 0;
    }
    for (const Row& row : rows) {
        fmt::print("{:<50} {:>8} {:>10.3g} {:<3} {}\n    {}\n",
                   row.question,
                   fmt::format("<= {}", row.target),
                   row.measured,
                   row.unit,
                   row.measured <= row.target ? "ok" : "MISSED",
                   row.answer);
    }
    return 0;
}
