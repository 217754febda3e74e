// What `weir plan` found, before it is shown: on a terminal, as JSON, or as a page.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "weir/base/text_table.hpp"
#include "weir/cli/plan_explain.hpp"
#include "weir/cli/plan_question.hpp"
#include "weir/plan/mixed.hpp"
#include "weir/plan/plan_file.hpp"
#include "weir/plan/search.hpp"

namespace weir::cli {

// The best plan for so many chips; none when nothing fits.
struct ScalePoint {
    std::uint64_t chips = 0;
    std::optional<plan::Plan> best{};
};

struct PoolAnswer {
    PlanPool pool{};
    plan::SearchResult found{};
    double search_s = 0;  // that the search took
    // The best plan of those that are better and too full for what was promised of the memory.
    std::optional<plan::Plan> left_out{};
    std::optional<Explanation> explanation{};
    std::vector<PlanChange> would_fit{};  // when nothing does, and why was asked
    std::vector<ScalePoint> scale{};
    // For the picture of the plan space: the best of each layout, and the best that it would have
    // on chips with more memory.
    std::vector<plan::Plan> space{};
};

struct PlanAnswer {
    PlanQuestion question{};
    bool over_chips = false;  // asked over numbers of chips, not for the plans on one
    std::vector<PoolAnswer> pools{};
    // Of several pools: one job on all of them together, beside the best on each alone.
    std::vector<plan::MixedPart> parts{};
    std::optional<plan::MixedResult> mixed{};
    std::string verdict;  // whether that pays
};

// Fills in what is said of all pools together.
Result<void> mix(PlanAnswer& answer);
// The ways to use all pools, and what each of them does in each way.
struct MixedTable {
    std::vector<Column> columns{};
    std::vector<std::vector<std::string>> rows{};
};
std::vector<MixedTable> mixed_tables(const PlanAnswer& answer);
std::string mixed_text(const PlanAnswer& answer, std::size_t width);

// A configuration that somebody has: from a plan file, or read from a launch.
struct CheckAnswer {
    plan::PlanFile file{};
    plan::Prediction prediction{};
    std::vector<PlanChange> changes{};  // where they were asked for
    std::string read_as;                // "Megatron-LM launch"; "" = a plan file
    std::vector<std::string> not_modelled{};
    std::vector<std::string> not_understood{};
};

// How full changes to it may make a chip: as was promised, or as full as it is.
double memory_of_changes(const CheckAnswer& answer, const PlanOptions& options);

std::string plan_json(const PlanAnswer& answer);
std::string check_json(const CheckAnswer& answer);

std::string plan_report_text(const PlanAnswer& answer, std::size_t width);
std::string check_report_text(const CheckAnswer& answer, std::size_t width);

// What starts a configuration in a framework, as JSON beside its prediction.
std::string launch_json(const plan::TrainingJob& job,
                        const plan::Machine& machine,
                        const plan::Plan& chosen,
                        std::string_view framework,
                        const std::string& text);

// One HTML page: where the time goes as stacked bars, the plan space as MFU against memory, the
// curve over chip counts. `command` is what makes it again.
std::string plan_page(const PlanAnswer& answer, const std::string& command);

}  // namespace weir::cli
