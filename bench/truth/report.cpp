#include "bench/truth/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "weir/plan/interval.hpp"
#include "weir/plan/model_counts.hpp"
#include "weir/plan/training.hpp"

namespace weir::bench {
namespace {

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// Ranks, equal values sharing the mean of theirs.
std::vector<double> ranks(const std::vector<double>& values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return values[a] < values[b];
    });
    std::vector<double> rank(values.size());
    for (std::size_t i = 0; i < order.size();) {
        std::size_t end = i;
        while (end < order.size() && values[order[end]] == values[order[i]])
            ++end;
        for (std::size_t j = i; j < end; ++j)
            rank[order[j]] = static_cast<double>(i + end - 1) / 2;
        i = end;
    }
    return rank;
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
    const double n = static_cast<double>(x.size());
    const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
    const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
    double xy = 0;
    double xx = 0;
    double yy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        xy += (x[i] - mean_x) * (y[i] - mean_y);
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        yy += (y[i] - mean_y) * (y[i] - mean_y);
    }
    return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 1;
}

// Plans of one job on one machine.
std::string sweep_of(const TrainingRow& row) {
    return fmt::format("{}/{}/{}/{}/{}/{}",
                       row.group,
                       row.model_name,
                       row.chip,
                       row.chips,
                       row.job.sequence,
                       row.job.global_batch);
}

// Measured and predicted time of each plan. One that was measured again, with another version of
// the same software, is one plan, and its time is the mean.
std::pair<std::vector<double>, std::vector<double>> plans_of(
    const std::vector<const Predicted*>& rows) {
    std::vector<std::vector<const Predicted*>> plans;
    for (const Predicted* row : rows) {
        const auto same = std::find_if(plans.begin(), plans.end(), [&](const auto& plan) {
            return plan.front()->row->strategy == row->row->strategy &&
                   plan.front()->predicted == row->predicted;
        });
        if (same == plans.end())
            plans.push_back({row});
        else
            same->push_back(row);
    }
    std::vector<double> measured;
    std::vector<double> predicted;
    for (const auto& plan : plans) {
        double sum = 0;
        for (const Predicted* row : plan)
            sum += row->measured;
        measured.push_back(sum / static_cast<double>(plan.size()));
        predicted.push_back(plan.front()->predicted);
    }
    return {measured, predicted};
}

}  // namespace

Score score_of(std::string group, const std::vector<Predicted>& rows) {
    Score score;
    score.group = std::move(group);
    score.rows = rows.size();
    if (rows.empty()) return score;
    std::vector<double> errors;
    std::map<std::string, std::vector<const Predicted*>> sweeps;
    std::size_t inside = 0;
    for (const Predicted& one : rows) {
        const double error = one.predicted / one.measured - 1;
        errors.push_back(std::abs(error));
        score.bias += error / static_cast<double>(rows.size());
        if (std::abs(error) > score.worst_ape) {
            score.worst_ape = std::abs(error);
            score.worst_id = one.row->id;
        }
        if (std::abs(std::log(one.measured / one.predicted)) <= 1.645 * one.spread) ++inside;
        sweeps[sweep_of(*one.row)].push_back(&one);
    }
    score.mape =
        std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(errors.size());
    score.median_ape = median(errors);
    score.coverage = static_cast<double>(inside) / static_cast<double>(rows.size());
    double ranked = 0;
    for (const auto& [name, plans] : sweeps) {
        if (plans.size() < 4) continue;
        ++score.sweeps;
        const auto [measured, predicted] = plans_of(plans);
        const auto picked = static_cast<std::size_t>(
            std::min_element(predicted.begin(), predicted.end()) - predicted.begin());
        const double regret =
            measured[picked] / *std::min_element(measured.begin(), measured.end()) - 1;
        score.regret += regret;
        score.regret_worst = std::max(score.regret_worst, regret);
        if (plans.size() >= 10) {
            score.spearman += correlation(ranks(measured), ranks(predicted));
            ranked += 1;
        }
    }
    if (score.sweeps > 0) score.regret /= static_cast<double>(score.sweeps);
    score.spearman = ranked > 0 ? score.spearman / ranked : 0;
    return score;
}

std::vector<Score> scores_of(const std::vector<Predicted>& rows) {
    std::vector<Score> scores;
    const auto by = [&](const auto& name_of) {
        std::map<std::string, std::vector<Predicted>> groups;
        for (const Predicted& one : rows)
            groups[name_of(*one.row)].push_back(one);
        for (const auto& [name, members] : groups)
            scores.push_back(score_of(name, members));
    };
    by([](const TrainingRow& row) { return row.group; });
    by([](const TrainingRow& row) { return row.chip; });
    by([](const TrainingRow& row) { return row.chip + " " + row.precision; });
    by([](const TrainingRow& row) { return std::string(row.moe ? "moe" : "dense"); });
    scores.push_back(score_of("all", rows));
    return scores;
}

std::vector<Predicted> predict_times(const std::vector<TrainingRow>& rows) {
    std::vector<Predicted> predicted;
    for (const TrainingRow& row : rows) {
        if (!row.score_time) continue;
        const plan::Prediction step =
            plan::TrainingModel(row.job, row.machine).predict(row.strategy);
        const plan::Interval interval = plan::interval_of(step, row.job, row.machine, row.strategy);
        predicted.push_back({&row, row.step_s, step.step_s, interval.spread});
    }
    return predicted;
}

std::vector<Predicted> predict_memory(const std::vector<TrainingRow>& rows) {
    std::vector<Predicted> predicted;
    for (const TrainingRow& row : rows) {
        if (!row.score_memory) continue;
        const plan::TrainingModel model(row.job, row.machine);
        const auto layers = model.layers(row.strategy);
        plan::Prediction whole = model.predict(row.strategy, layers);
        if (row.last_stage)
            whole.memory_bytes = model.memory(row.strategy, layers, row.strategy.pp - 1);
        const double bytes =
            row.reserved ? whole.memory_total_bytes() : whole.memory_allocated_bytes();
        predicted.push_back({&row, row.memory_bytes, bytes, 0.1});
    }
    return predicted;
}

Fits fits_of(const std::vector<TrainingRow>& rows) {
    Fits fits;
    for (const TrainingRow& row : rows) {
        if (!row.score_time && !row.score_memory) continue;
        const plan::TrainingModel model(row.job, row.machine);
        const plan::Prediction predicted = model.predict(row.strategy);
        ++fits.ran;
        if (predicted.memory_allocated_bytes() <= row.machine.memory_bytes) continue;
        ++fits.refused;
        fits.refused_ids.push_back(fmt::format("{}: {:.1f} of {:.1f} GiB; {}",
                                               row.id,
                                               predicted.memory_allocated_bytes() / (1 << 30),
                                               row.machine.memory_bytes / (1 << 30),
                                               plan::text_of(row.strategy)));
    }
    return fits;
}

std::vector<Predicted> floor_times(const std::vector<TrainingRow>& rows) {
    const auto kind = [](const TrainingRow& row) {
        return fmt::format(
            "{}/{}/{}", row.chip, row.precision, row.strategy.recompute == plan::Recompute::full);
    };
    const auto ideal = [](const TrainingRow& row) {
        return 3 * plan::forward_flops(row.job.model, row.job.sequence, false).total() *
               row.job.global_batch /
               (static_cast<double>(row.chips) * row.machine.peak(plan::Precision::fp16));
    };
    std::map<std::string, std::vector<double>> shares;
    for (const TrainingRow& row : rows) {
        if (row.score_time) shares[kind(row)].push_back(ideal(row) / row.step_s);
    }
    std::vector<Predicted> predicted;
    for (const TrainingRow& row : rows) {
        if (row.score_time)
            predicted.push_back({&row, row.step_s, ideal(row) / median(shares[kind(row)]), 0.2});
    }
    return predicted;
}

std::vector<Predicted> roofline_times(const std::vector<TrainingRow>& rows) {
    std::vector<Predicted> predicted;
    for (const TrainingRow& row : rows) {
        if (!row.score_time) continue;
        const double again = row.strategy.recompute == plan::Recompute::full ? 4 : 3;
        const double flops = again *
                             plan::forward_flops(row.job.model, row.job.sequence, false).total() *
                             row.job.global_batch;
        const double chips = static_cast<double>(row.chips);
        const double compute = flops / (chips * row.machine.peak(row.strategy.precision));
        // Weights, gradients and optimiser are moved once.
        const double bytes =
            18 * plan::count_parameters(row.job.model).total / (row.strategy.tp * row.strategy.pp);
        predicted.push_back(
            {&row, row.step_s, std::max(compute, bytes / row.machine.memory_bytes_per_s), 0.2});
    }
    return predicted;
}

}  // namespace weir::bench
