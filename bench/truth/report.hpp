// Scores of predictions against measurements, by group: what plan_truth prints.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/truth/rows.hpp"

namespace weir::bench {

// Of one group of rows. Errors are of prediction over measurement; 0.06 is 6 %.
struct Score {
    std::string group{};
    std::size_t rows = 0;
    double mape = 0;
    double median_ape = 0;
    double bias = 0;  // mean of (predicted / measured - 1)
    double spearman = 0;
    double regret = 0;  // mean over sweeps
    double regret_worst = 0;
    std::size_t sweeps = 0;  // of four or more measurements of one job on one machine
    std::string worst_id{};
    double worst_ape = 0;
    double coverage = 0;  // share of measurements inside the 90 % interval
};

struct Predicted {
    const TrainingRow* row = nullptr;
    double measured = 0;
    double predicted = 0;
    double spread = 0;
};

Score score_of(std::string group, const std::vector<Predicted>& rows);

// By source, by chip, by chip and precision, and by kind of model, in this order.
std::vector<Score> scores_of(const std::vector<Predicted>& rows);

// Predictions of the step time and of the memory of the rows that are scored.
std::vector<Predicted> predict_times(const std::vector<TrainingRow>& rows);
std::vector<Predicted> predict_memory(const std::vector<TrainingRow>& rows);

// Every measured plan ran, so that none should be predicted not to fit into its chips' memory.
struct Fits {
    std::size_t ran = 0;
    std::size_t refused = 0;
    std::vector<std::string> refused_ids{};
};
Fits fits_of(const std::vector<TrainingRow>& rows);

// What is printed beside: one constant MFU for each chip, precision and full recompute, fitted to
// the rows themselves; and FLOPs and bytes over the peaks of the datasheet.
std::vector<Predicted> floor_times(const std::vector<TrainingRow>& rows);
std::vector<Predicted> roofline_times(const std::vector<TrainingRow>& rows);

}  // namespace weir::bench
