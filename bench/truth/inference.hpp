// Published measurements of serving against the planner: rows of DIR/inference.csv.
//
// A row becomes a job, a plan and a machine; what it does not say but its engine's documentation
// does (in which numbers keys and values are kept, how a benchmark sends its requests) is filled in
// here, with the reason. Nothing of a row's result is looked at for that.
#pragma once

#include <string>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/plan/serving.hpp"

namespace weir::bench {

struct InferenceRow {
    std::string id{};         // "trt10-0001"
    std::string group{};      // "trt10"
    std::string chip{};       // as the row calls it
    std::string precision{};  // of the weights
    std::string engine{};     // as the planner calls it
    std::string source{};     // model, chip, engine and precision: rows of one are near copies
    bool moe = false;
    // Not to be learned from: its source or sweep contradicts itself (see read_inference).
    bool doubtful = false;
    plan::ServingJob job{};
    plan::ServingPlan plan{};
    plan::Machine machine{};
    double output_tok_s = 0;  // of the whole system; 0 = not measured, as below
    // > 0: not measured but computed by the source from the other two, as clients x osl over
    // ttft + tpot x (osl - 1) with this nominal osl. A prediction is compared the same way.
    double nominal_osl = 0;
    double clients = 0;
    double ttft_s = 0;
    double tpot_s = 0;
};

// The complete, verified rows. Doubtful are sources of which more than a fifth would need chips
// faster than their peak, and sweeps in which more load made a token a quarter faster.
Result<std::vector<InferenceRow>> read_inference(const std::string& path);

// Of one group of rows and one metric ("throughput", "tpot", "ttft"). Errors are of prediction
// over measurement; 0.06 is 6 %.
struct InferenceScore {
    std::string group{};
    std::string metric{};
    std::size_t rows = 0;
    double mape = 0;
    double median_ape = 0;
    double bias = 0;
    double spearman = 0;
    double coverage = 0;  // share of measurements inside the 90 % interval
    std::string worst_id{};
    double worst_ape = 0;
};

// The tokens a second that a row states, predicted.
double throughput_of(const InferenceRow& row, const plan::ServingPrediction& prediction);

// By source, chip, chip and precision, engine, kind of model, all together, and all but doubtful.
Result<std::vector<InferenceScore>> inference_report(const std::string& folder);
std::vector<InferenceScore> inference_scores(const std::vector<InferenceRow>& rows);

}  // namespace weir::bench
