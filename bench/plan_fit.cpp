// plan_fit DIR [--without GROUP] [--rounds N] [--pull P] [--rows]: finds the constants of chips
// and links (weir/plan/calibration.hpp) that predict the measured step times of DIR/training.csv
// best, and prints them as catalog/calibration.yaml has them. --without leaves a source out of the
// fit and scores it afterwards: that is how far a fit carries.
//
// The loss is the mean over groups (source and chip) of the mean |log(predicted / measured)|, so
// that a sweep of 1,440 rows weighs as much as a table of ten, with a weak pull of each constant to
// where it started. The search goes along one constant at a time.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "weir/plan/training.hpp"

#include "bench/truth/report.hpp"

namespace {

using weir::bench::TrainingRow;
using weir::plan::ChipCalibration;
using weir::plan::LinkCalibration;

// Chips of one design share their constants where there are too few rows of each.
std::string family_of(const std::string& chip) {
    return chip == "h200" ? "h100-sxm-80g" : chip;
}

struct Fit {
    std::vector<TrainingRow> rows;
    std::map<std::string, ChipCalibration> chips;
    std::map<std::string, LinkCalibration> links;
    std::string without;
    std::set<std::string> chip_of_constants;

    void apply(TrainingRow& row) const {
        row.machine.chip = chips.at(family_of(row.machine.chip_name));
        row.machine.inside.calibration = links.at(row.machine.inside.kind);
        row.machine.between.calibration = links.at(row.machine.between.kind);
    }
};

double log_error(const TrainingRow& row) {
    const weir::plan::TrainingModel model(row.job, row.machine);
    const double error = std::log(model.predict(row.strategy).step_s / row.step_s);
    return std::isfinite(error) ? error : 10;
}

// Of the rows of one chip, or of all.
double loss_of(Fit& fit, const std::vector<std::size_t>& which) {
    std::map<std::string, std::pair<double, double>> groups;
    for (const std::size_t i : which) {
        TrainingRow& row = fit.rows[i];
        fit.apply(row);
        auto& [sum, count] = groups[row.group + row.chip + (row.moe ? "m" : "")];
        const double e = std::abs(log_error(row));
        // Between absolute and squared: rows far off count more, but no row decides.
        sum += e + 1.0 * e * e;
        // A sweep of many rows tells more than one of few, but not in proportion.
        count += 1;
    }
    double loss = 0;
    double weights = 0;
    for (const auto& [name, group] : groups) {
        // From some sixty rows on they are near copies: the 1,440 of one grid are put together from
        // the same 32 layers.
        const double weight = std::pow(std::min(group.second, 64.0), 0.3);
        loss += weight * group.first / group.second;
        weights += weight;
    }
    return weights > 0 ? loss / weights : 0;
}

}  // namespace

int main(int argc, char** argv) {
    Fit fit;
    std::string folder;
    int rounds = 40;
    bool every_row = false;
    double pull_strength = 0.0014;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--without") == 0 && i + 1 < argc)
            fit.without = argv[++i];
        else if (std::strcmp(argv[i], "--rows") == 0)
            every_row = true;
        else if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            rounds = std::atoi(argv[++i]);
        else if (std::strcmp(argv[i], "--pull") == 0 && i + 1 < argc)
            pull_strength = std::atof(argv[++i]);
        else
            folder = argv[i];
    }
    auto rows = weir::bench::read_training(folder + "/training.csv");
    if (!rows) {
        fmt::print(stderr, "plan_fit: {}\n", rows.error().message);
        return 1;
    }
    std::vector<TrainingRow> left_out;
    for (TrainingRow& row : *rows) {
        if (!row.score_time) continue;
        // From what is usual, not from an earlier fit: or a source that is left out would leak in.
        fit.chips[family_of(row.machine.chip_name)] = weir::plan::chip_calibration("any");
        fit.links[row.machine.inside.kind] = weir::plan::link_calibration("any");
        fit.links[row.machine.between.kind] = weir::plan::link_calibration("any");
        // Tiny models of test suites are bound by the host and tell nothing of chips.
        if (row.group == "mcore") continue;
        (row.group == fit.without ? left_out : fit.rows).push_back(row);
    }
    std::vector<std::size_t> all(fit.rows.size());
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = i;
    const auto rows_with = [&](auto&& uses) {
        std::vector<std::size_t> which;
        for (std::size_t i = 0; i < fit.rows.size(); ++i)
            if (uses(fit.rows[i])) which.push_back(i);
        return which;
    };
    const auto start_chips = fit.chips;
    const auto start_links = fit.links;
    // Shares are known to a third or so before any fit, other constants to their order of
    // magnitude: rows that hardly depend on one must not carry it away.
    const auto pull = [&](double value, double start, double low, double high, bool share) {
        const double least = std::max(low, (high - low) * 1e-3);
        const double away = std::log(std::max(value, least) / std::max(start, least));
        const double known_to = share ? 0.3 : 1.0;
        return pull_strength * away * away / (known_to * known_to);
    };
    // Tries steps of shrinking size along one constant.
    const auto improve = [&](double& value,
                             double start,
                             double low,
                             double high,
                             const std::vector<std::size_t>& which,
                             double step,
                             bool share) {
        const auto at = [&](double trial) {
            const double kept = value;
            value = trial;
            const double loss = loss_of(fit, which) + pull(trial, start, low, high, share);
            value = kept;
            return loss;
        };
        double best = at(value);
        const double unit = std::max(std::abs(value), (high - low) * 0.002);
        for (const double factor : {step, step / 4}) {
            for (const double direction : {1.0, -1.0}) {
                while (true) {
                    const double trial = std::clamp(value + direction * factor * unit, low, high);
                    if (trial == value) break;
                    const double loss = at(trial);
                    if (loss >= best - 1e-7) break;
                    best = loss;
                    value = trial;
                }
            }
        }
    };
    for (int round = 0; round < rounds; ++round) {
        const double step = 0.4 / (1 + round);
        for (auto& [name, chip] : fit.chips) {
            const auto which = rows_with(
                [&](const TrainingRow& row) { return family_of(row.machine.chip_name) == name; });
            if (which.empty()) continue;
            for (const auto& constant : weir::plan::chip_constants()) {
                if (constant.name == "spread") continue;
                improve(chip.*constant.member,
                        start_chips.at(name).*constant.member,
                        constant.low,
                        constant.high,
                        which,
                        step,
                        constant.name.find("share") != std::string_view::npos ||
                            constant.name.find("older") != std::string_view::npos);
            }
        }
        for (auto& [name, link] : fit.links) {
            const auto which = rows_with([&](const TrainingRow& row) {
                return row.machine.inside.kind == name || row.machine.between.kind == name;
            });
            if (which.empty()) continue;
            for (const auto& constant : weir::plan::link_constants())
                improve(link.*constant.member,
                        start_links.at(name).*constant.member,
                        constant.low,
                        constant.high,
                        which,
                        step,
                        constant.name.find("share") != std::string_view::npos ||
                            constant.name.find("older") != std::string_view::npos);
        }
        fmt::print(stderr, "round {}: loss {:.4f}\n", round + 1, loss_of(fit, all));
    }
    // How far single predictions are off decides the width of intervals.
    for (auto& [name, chip] : fit.chips) {
        double sum = 0;
        double count = 0;
        for (TrainingRow& row : fit.rows) {
            if (family_of(row.machine.chip_name) != name) continue;
            fit.apply(row);
            const double e = log_error(row);
            sum += e * e;
            count += 1;
        }
        // Few rows prove little.
        if (count > 0) chip.spread = std::max(0.05, std::sqrt((sum + 0.01 * 3) / (count + 3)));
    }
    fmt::print("chips:\n");
    for (const auto& [name, chip] : fit.chips) {
        fmt::print("  - names: {}\n    source: \"{}\"\n", name, chip.source);
        for (const auto& constant : weir::plan::chip_constants())
            fmt::print("    {}: {:.4g}\n", constant.name, chip.*constant.member);
    }
    fmt::print("links:\n");
    for (const auto& [name, link] : fit.links) {
        fmt::print("  - names: {}\n    source: \"{}\"\n", name, link.source);
        for (const auto& constant : weir::plan::link_constants())
            fmt::print("    {}: {:.4g}\n", constant.name, link.*constant.member);
    }
    std::vector<TrainingRow>& scored = fit.without.empty() ? fit.rows : left_out;
    for (TrainingRow& row : scored)
        fit.apply(row);
    if (every_row) {
        for (const auto& one : weir::bench::predict_times(scored))
            fmt::print(stderr,
                       "{} {} {} {:.4g} {:.4g} {:+.1f} %  {}\n",
                       one.row->id,
                       one.row->model_name,
                       one.row->chip,
                       one.measured,
                       one.predicted,
                       100 * (one.predicted / one.measured - 1),
                       weir::plan::text_of(one.row->strategy));
    }
    for (const auto& score : weir::bench::scores_of(weir::bench::predict_times(scored)))
        fmt::print(
            stderr,
            "{:<30} {:>5} mean {:>5.1f} % median {:>5.1f} % bias {:>+5.1f} % worst {} {:.0f} %\n",
            score.group,
            score.rows,
            100 * score.mape,
            100 * score.median_ape,
            100 * score.bias,
            score.worst_id,
            100 * score.worst_ape);
    return 0;
}
