// How fast does the planner answer?
//
//     bench_plan_search [--runs N] [--peers] [--json]
//
// On one thread: the whole search for GPT-3 175B on 4,096 A100 with a batch of 4,096, and for
// DeepSeek-V3 on 2,048 and 8,192 H800 and H100; one prediction; throughput() when it knows the
// answer; and two kinds of chip in one job. --peers asks only what bench/peers/planners.py asks
// other planners, too. Each figure is the median of the runs; of predictions
// and look-ups, of many in a row. Time is that of the thread, so that neighbours do not count.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "weir/catalog/catalog.hpp"
#include "weir/catalog/model.hpp"
#include "weir/plan/machine.hpp"
#include "weir/plan/mixed.hpp"
#include "weir/plan/search.hpp"
#include "weir/plan/throughput.hpp"
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

double thread_s() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double seconds_of(const auto& work) {
    const double began = thread_s();
    work();
    return thread_s() - began;
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
    SearchOptions options = options_for(Framework::megatron_lm);
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

// Answers that are there already, by subject and by what the subject is.
std::vector<Row> looked_up(const TrainingJob& job, const std::string& chip, std::uint64_t chips) {
    const Machine kind = machine(chip);
    Throughput known;
    const Throughput::Subject subject = known.subject(job, kind);
    double sum = known.tokens_per_s(subject, chips) + throughput(job, kind, chips);
    std::vector<double> by_subject;
    std::vector<double> by_content;
    for (int run = 0; run < 9; ++run) {
        constexpr int many = 100000;
        by_subject.push_back(seconds_of([&] {
                                 for (int i = 0; i < many; ++i)
                                     sum += known.tokens_per_s(subject, chips);
                             }) /
                             many);
        by_content.push_back(seconds_of([&] {
                                 for (int i = 0; i < many; ++i)
                                     sum += throughput(job, kind, chips);
                             }) /
                             many);
    }
    const std::string answer = sum > 0 ? "" : "nothing fits";
    return {{"throughput() of a known subject", 200, 1e9 * median(by_subject), "ns", answer},
            {"throughput() of a job and a machine", 200, 1e9 * median(by_content), "ns", answer}};
}

Row mixed(const std::string& question,
          const TrainingJob& job,
          const std::vector<MixedPart>& parts,
          double target_ms,
          std::uint64_t runs) {
    const MixedOptions options{.search = options_for(Framework::megatron_lm)};
    MixedResult result;
    std::vector<double> times;
    for (std::uint64_t i = 0; i < runs; ++i)
        times.push_back(
            seconds_of([&] { result = value_of_result(search_mixed(job, parts, options)); }));
    return {question, target_ms, 1e3 * median(times), "ms", result.verdict(parts, {})};
}

int print(const std::vector<Row>& rows, bool json) {
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
        fmt::print("{:<56} {:>8} {:>10.3g} {:<3} {}\n    {}\n",
                   row.question,
                   row.target > 0 ? fmt::format("<= {}", row.target) : "",
                   row.measured,
                   row.unit,
                   row.target <= 0              ? ""
                   : row.measured <= row.target ? "ok"
                                                : "MISSED",
                   row.answer);
    }
    return 0;
}

}  // namespace

int main(int count, char** words) {
    bench::Arguments given("bench_plan_search", count, words);
    const bool json = given.has("--json");
    const bool peers = given.has("--peers");
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
    rows.push_back(searched("llama-3-70b, 2,048 h100-sxm-80g, batch 2,048",
                            job("llama-3-70b", 4096, 2048),
                            "h100-sxm-80g",
                            2048,
                            0,
                            runs));
    if (peers) return print(rows, json);
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
    for (Row& row : looked_up(deepseek, "h800", 2048))
        rows.push_back(std::move(row));
    rows.push_back(mixed("gpt3-175b, 2,048 a100-sxm-80g and 1,024 h100-sxm-80g",
                         gpt3,
                         {{machine("a100-sxm-80g"), 2048}, {machine("h100-sxm-80g"), 1024}},
                         2000,
                         runs));
    const TrainingJob llama = job("llama-3.1-405b", 8192, 1024);
    rows.push_back(mixed("llama-3.1-405b, 512 a100-sxm-80g and 512 h800",
                         llama,
                         {{machine("a100-sxm-80g"), 512}, {machine("h800"), 512}},
                         2000,
                         runs));
    TrainingJob smaller = deepseek;
    smaller.global_batch = 4096;
    rows.push_back(mixed("deepseek-v3, 512 h800 and 1,024 h100-sxm-80g",
                         smaller,
                         {{machine("h800"), 512}, {machine("h100-sxm-80g"), 1024}},
                         2000,
                         runs));
    rows.push_back(mixed("deepseek-v3, 2,048 h800 and 2,048 h100-sxm-80g",
                         deepseek,
                         {{machine("h800"), 2048}, {machine("h100-sxm-80g"), 2048}},
                         2000,
                         runs));

    return print(rows, json);
}
