// Plan file: one training configuration, written down to be predicted.
//
// Its keys are the columns in which measured configurations are published side by side (model
// shape, chip, links, degrees, recomputation, precision, ...), so that a row of such a table is a
// file after little more than renaming nothing. What was measured may be said too; the answer then
// holds the prediction against it. The language is the table plan_schema(): check, error texts,
// JSON Schema and reference page come from it.
//
// What is not said follows from the rest (dp from the chips, kv_heads from the heads), and notes
// say what had to be assumed.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/base/schema.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/plan/machine.hpp"
#include "weir/plan/strategy.hpp"

namespace weir::plan {

const schema::Object& plan_schema();

// What a run was seen to do; 0 = not said. Of the whole step, and of one chip.
struct Measured {
    double step_s = 0;
    double memory_bytes = 0;
};

struct PlanFile {
    TrainingJob job{};
    Machine machine{};
    Strategy strategy{};
    Measured measured{};
    std::vector<std::string> notes{};  // what was assumed, in sentences
};

// `source` stands in front of every error. The file has passed check(strategy, job, chips). `model`
// is that of a file that names none.
Result<PlanFile> read_plan_text(std::string_view text,
                                std::string_view source,
                                const catalog::Catalog& catalog,
                                std::string_view model = {});

// The words behind `recompute:`: "none", "selective", "selective:norms,activation", "full",
// "full:block:5"; and back.
Result<void> recompute_from_text(std::string_view text, Strategy& strategy);
std::string recompute_text(const Strategy& strategy);

// The reference page, docs/reference/plan.md.
std::string plan_reference();

}  // namespace weir::plan
