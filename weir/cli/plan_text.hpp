// How `weir plan` shows predictions on a terminal: tables of plans, of time and of memory.
//
// Functions return text; who calls prints it. Every number that is a prediction stands with how far
// off it may be.
#pragma once

#include <string>
#include <vector>

#include "weir/base/text_table.hpp"
#include "weir/cli/plan_question.hpp"
#include "weir/plan/search.hpp"

namespace weir::cli {

// Numbers of `weir plan` are spelled here, and times by format_seconds(), in every table and page.
//
// "803,210", "10", "7.25": of things, tokens a second, hours.
std::string number_text(double value);
// "8.03 B", "300 B", "15 T": parameters and tokens, as --tokens takes them.
std::string large_text(double value);
// "0.42 USD", "670,801 CNY".
std::string money_text(double amount, std::string_view currency);
// "1.40 to 1.90 s", with the unit once where it is the same.
std::string range_text(double low_s, double high_s);
// "61.2 GiB".
std::string gib_text(double bytes);
// "2.5 days", "3h 10m".
std::string long_time_text(double seconds);
// "5 %", "< 1 %", "> 99 %".
std::string chance_text(double probability);
// "405.9 B parameters": with those that one token uses, where it is not all.
std::string parameters_text(const catalog::Model& model);

// "llama-3-8b (8.03 B parameters), 512 sequences of 8,192 tokens a step, bf16": the job in a line.
std::string job_line(const plan::TrainingJob& job, plan::Precision precision);
std::string machine_line(const plan::Machine& machine, std::uint64_t chips);

// A strategy with every switch that is on: "tp 2, dp 32, micro-batch 2, zero 1; sequence
// parallelism, overlap of gradients, weights".
std::string whole_text(const plan::Strategy& strategy);

// A table with a plan in each row: in the column `plan_at` where the terminal is wide enough for
// all of it, and below its row where it is not, for plans are what people came for.
class PlanRows {
public:
    // `columns` without that of the plans, `title` theirs.
    PlanRows(std::vector<Column> columns, std::size_t plan_at, std::string title)
        : columns_(std::move(columns)), plan_at_(plan_at), title_(std::move(title)) {}
    void row(std::vector<std::string> cells, std::string plan) {
        rows_.push_back({std::move(cells), std::move(plan)});
    }
    [[nodiscard]] std::string text(std::size_t width) const;

private:
    struct Row {
        std::vector<std::string> cells;
        std::string plan;
    };
    std::vector<Column> columns_;
    std::size_t plan_at_;
    std::string title_;
    std::vector<Row> rows_;
};

// Plans in another precision than was asked for say so.
std::string plans_table(const std::vector<plan::Plan>& plans,
                        const plan::TrainingJob& job,
                        const plan::Machine& machine,
                        plan::Precision asked,
                        std::size_t width);
// Where the time of a step goes, term by term: what is waited for, and what runs beside it.
std::string time_table(const plan::Prediction& prediction, std::size_t width);
// What fills the memory of the fullest chip.
std::string memory_table(const plan::Prediction& prediction,
                         const plan::Machine& machine,
                         std::size_t width);
// How the MFU is counted: FLOPs of which kind over which peak.
std::string mfu_sentence(const plan::Prediction& prediction,
                         const plan::Machine& machine,
                         const plan::Strategy& strategy);
// The share of the time that is work, where checkpoints and failures take the rest; 1 where nobody
// says how often nodes fail.
double useful_share_of(const plan::TrainingJob& job,
                       const plan::Machine& machine,
                       const plan::Strategy& strategy);
// Until so many tokens are trained, with what checkpoints and failures take.
double seconds_to(double tokens,
                  const plan::TrainingJob& job,
                  const plan::Machine& machine,
                  const plan::Strategy& strategy,
                  const plan::Prediction& prediction);
// How long the tokens of the job take and what that costs; "" where the job has no goal.
std::string goal_sentence(const plan::TrainingJob& job,
                          const plan::Machine& machine,
                          const plan::Strategy& strategy,
                          const plan::Prediction& prediction);

}  // namespace weir::cli
