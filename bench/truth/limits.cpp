#include "bench/truth/limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

namespace weir::bench {
namespace {

std::vector<Predicted> of_group(const std::vector<Predicted>& times, std::string_view group) {
    std::vector<Predicted> some;
    std::copy_if(times.begin(), times.end(), std::back_inserter(some), [&](const Predicted& one) {
        return one.row->group == group;
    });
    return some;
}

double micro_batches(const TrainingRow& row) {
    return static_cast<double>(row.job.global_batch) /
           (static_cast<double>(row.strategy.micro_batch) * row.strategy.dp);
}

// Micro-batches that pass while a step lasts, those that fill and drain the pipeline among them.
double slots(const TrainingRow& row) {
    return micro_batches(row) + row.strategy.pp - 1;
}

using LayerKey = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;  // as GridLayer
LayerKey layer_of(const TrainingRow& row) {
    return {row.job.model.hidden, row.strategy.tp, row.strategy.micro_batch};
}
double layer_times(const TrainingRow& row) {
    return slots(row) * row.job.model.layers / row.strategy.pp;
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
    return values[values.size() / 2];
}

// Steps of the grid with other times of layers; all else as measured.
std::vector<Predicted> with_layers(const std::vector<Predicted>& grid,
                                   const std::vector<GridLayer>& layers,
                                   const std::function<double(std::size_t)>& time_s) {
    std::map<LayerKey, double> more;
    for (std::size_t i = 0; i < layers.size(); ++i)
        more[{layers[i].hidden, layers[i].tp, layers[i].micro_batch}] =
            time_s(i) - layers[i].measured_s;
    std::vector<Predicted> all = grid;
    for (Predicted& one : all)
        one.predicted = one.measured + more.at(layer_of(*one.row)) * layer_times(*one.row);
    return all;
}

void grid_limits(const std::vector<Predicted>& times, std::vector<Score>& scores) {
    const std::vector<Predicted> grid = of_group(times, "vts");
    if (grid.empty()) return;
    scores.push_back(score_of("vts: the planner", grid));
    const std::vector<GridLayer> layers = grid_layers(times);
    std::vector<std::size_t> worst(layers.size());
    std::vector<double> logs;
    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        worst[i] = i;
        logs.push_back(std::log(layers[i].measured_s));
        for (std::size_t j = 0; j < layers.size(); ++j) {
            if (i != j && layers[i].tp == layers[j].tp && layers[i].hidden <= layers[j].hidden &&
                layers[i].micro_batch <= layers[j].micro_batch)
                pairs.emplace_back(i, j);
        }
    }
    std::sort(worst.begin(), worst.end(), [&](std::size_t a, std::size_t b) {
        return layers[a].predicted_s / layers[a].measured_s >
               layers[b].predicted_s / layers[b].measured_s;
    });
    for (const std::size_t known : {0, 1, 2, 3}) {
        const std::set<std::size_t> as_measured(worst.begin(), worst.begin() + known);
        scores.push_back(score_of(fmt::format("vts: its layers, {} as measured", known),
                                  with_layers(grid, layers, [&](std::size_t i) {
                                      return as_measured.count(i) > 0 ? layers[i].measured_s
                                                                      : layers[i].predicted_s;
                                  })));
    }
    const std::vector<double> in_order = nearest_in_order(logs, pairs);
    scores.push_back(
        score_of("vts: measured, in order",
                 with_layers(grid, layers, [&](std::size_t i) { return std::exp(in_order[i]); })));
}

// Arbitrary factors of the time of a slot for each value of each key, fitted to the measured times
// one key after another until they stay.
std::vector<Predicted> with_factors(
    const std::vector<Predicted>& rows,
    const std::vector<std::function<std::string(const TrainingRow&)>>& keys) {
    std::vector<double> left;
    for (const Predicted& one : rows)
        left.push_back(
            std::log(one.measured / (slots(*one.row) / micro_batches(*one.row)) * one.row->chips));
    std::vector<double> found(rows.size(), 0.0);
    for (int round = 0; round < 500; ++round) {
        for (const auto& key : keys) {
            std::map<std::string, std::pair<double, double>> sums;
            for (std::size_t i = 0; i < rows.size(); ++i) {
                auto& [sum, count] = sums[key(*rows[i].row)];
                sum += left[i] - found[i];
                count += 1;
            }
            for (std::size_t i = 0; i < rows.size(); ++i) {
                const auto& [sum, count] = sums.at(key(*rows[i].row));
                found[i] += sum / count;
            }
        }
    }
    std::vector<Predicted> all = rows;
    for (std::size_t i = 0; i < rows.size(); ++i)
        all[i].predicted = std::exp(found[i] - left[i]) * rows[i].measured;
    return all;
}

void node_limits(const std::vector<Predicted>& times, std::vector<Score>& scores) {
    const std::vector<Predicted> rows = of_group(times, "vtm");
    if (rows.empty()) return;
    scores.push_back(score_of("vtm: the planner", rows));
    const auto model = [](const TrainingRow& row) { return row.model_name; };
    const auto tensor = [](const TrainingRow& row) { return fmt::format("{}", row.strategy.tp); };
    const auto size = [](const TrainingRow& row) {
        return fmt::format("{}", row.strategy.micro_batch);
    };
    const auto stages = [](const TrainingRow& row) { return fmt::format("{}", row.strategy.pp); };
    scores.push_back(score_of("vtm: a factor each of model, tp, pp, size",
                              with_factors(rows, {model, tensor, stages, size})));
    scores.push_back(score_of(
        "vtm: and tp x model",
        with_factors(
            rows,
            {[&](const TrainingRow& row) { return model(row) + tensor(row); }, stages, size})));
    scores.push_back(score_of(
        "vtm: tp x pp x model, tp x size x model",
        with_factors(
            rows,
            {[&](const TrainingRow& row) { return model(row) + tensor(row) + "/" + stages(row); },
             [&](const TrainingRow& row) { return model(row) + tensor(row) + "/" + size(row); }})));
    // The share of the work of one sequence.
    std::vector<double> shares;
    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const plan::Strategy& a = rows[i].row->strategy;
        shares.push_back(
            std::log(rows[i].measured / slots(*rows[i].row) * micro_batches(*rows[i].row)));
        for (std::size_t j = 0; j < rows.size(); ++j) {
            const plan::Strategy& b = rows[j].row->strategy;
            if (i != j && rows[i].row->model_name == rows[j].row->model_name && a.tp <= b.tp &&
                a.pp <= b.pp && a.micro_batch >= b.micro_batch)
                pairs.emplace_back(i, j);
        }
    }
    const std::vector<double> in_order = nearest_in_order(shares, pairs);
    std::vector<Predicted> ordered = rows;
    for (std::size_t i = 0; i < rows.size(); ++i)
        ordered[i].predicted = rows[i].measured * std::exp(in_order[i] - shares[i]);
    scores.push_back(score_of("vtm: measured, in order", ordered));
}

}  // namespace

std::vector<double> nearest_in_order(
    std::vector<double> values, const std::vector<std::pair<std::size_t, std::size_t>>& pairs) {
    // Projections onto one condition after the other, each taking back its own last correction
    // (Boyle and Dykstra 1986), end at the nearest values that keep all.
    constexpr int rounds_max = 20000;
    constexpr double settled = 1e-10;
    std::vector<double> pushed(pairs.size(), 0.0);
    for (int round = 0; round < rounds_max; ++round) {
        double moved = 0;
        for (std::size_t p = 0; p < pairs.size(); ++p) {
            double& low = values[pairs[p].first];
            double& high = values[pairs[p].second];
            const double before = pushed[p];
            pushed[p] = std::max(0.0, (low - high) / 2 + before);
            low += before - pushed[p];
            high -= before - pushed[p];
            moved = std::max(moved, std::abs(before - pushed[p]));
        }
        if (moved < settled) break;
    }
    return values;
}

std::vector<Score> limits_of(const std::vector<Predicted>& times) {
    std::vector<Score> scores;
    grid_limits(times, scores);
    node_limits(times, scores);
    return scores;
}

std::vector<GridLayer> grid_layers(const std::vector<Predicted>& times) {
    // Steps that differ in nothing but the number of layers say what one takes.
    struct Ends {
        const Predicted* fewest = nullptr;
        const Predicted* most = nullptr;
    };
    using Rest = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;
    std::map<std::pair<LayerKey, Rest>, Ends> series;
    const std::vector<Predicted> grid = of_group(times, "vts");
    for (const Predicted& one : grid) {
        const plan::Strategy& s = one.row->strategy;
        Ends& ends = series[{layer_of(*one.row), {s.pp, s.dp, one.row->job.global_batch}}];
        const std::uint32_t layers = one.row->job.model.layers;
        if (ends.fewest == nullptr || layers < ends.fewest->row->job.model.layers)
            ends.fewest = &one;
        if (ends.most == nullptr || layers > ends.most->row->job.model.layers) ends.most = &one;
    }
    std::map<LayerKey, std::pair<std::vector<double>, std::vector<double>>> found;
    for (const auto& [key, ends] : series) {
        if (ends.fewest == ends.most) continue;
        const double more = layer_times(*ends.most->row) - layer_times(*ends.fewest->row);
        auto& [measured, predicted] = found[key.first];
        measured.push_back((ends.most->measured - ends.fewest->measured) / more);
        predicted.push_back((ends.most->predicted - ends.fewest->predicted) / more);
    }
    std::vector<GridLayer> layers;
    for (const auto& [key, seconds] : found)
        layers.push_back({std::get<0>(key),
                          std::get<1>(key),
                          std::get<2>(key),
                          median(seconds.first),
                          median(seconds.second)});
    return layers;
}

std::vector<Repeated> repeated_of(const std::vector<Predicted>& times) {
    std::map<std::string, Repeated> groups;
    std::map<std::string, double> rows;
    for (const Predicted& one : times)
        rows[one.row->group] += 1;
    for (std::size_t i = 0; i < times.size(); ++i) {
        const TrainingRow& a = *times[i].row;
        for (std::size_t j = i + 1; j < times.size(); ++j) {
            const TrainingRow& b = *times[j].row;
            if (a.group != b.group || a.model_name != b.model_name || a.chip != b.chip ||
                a.chips != b.chips || a.job.sequence != b.job.sequence ||
                a.job.global_batch != b.job.global_batch || !(a.strategy == b.strategy) ||
                times[i].predicted != times[j].predicted)
                continue;
            const auto [shorter, longer] = std::minmax(times[i].measured, times[j].measured);
            Repeated& group = groups[a.group];
            group.group = a.group;
            ++group.pairs;
            group.least_mape += (1 - shorter / longer) / rows[a.group];
            if (longer / shorter - 1 >= group.differ_most) {
                group.differ_most = longer / shorter - 1;
                group.ids = a.id + ", " + b.id;
            }
        }
    }
    std::vector<Repeated> all;
    for (auto& [name, group] : groups)
        all.push_back(std::move(group));
    return all;
}

}  // namespace weir::bench
