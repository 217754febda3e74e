// plan_fit DIR [--without GROUP] [--each-left-out] [--rows]: finds the constants of chips and links
// (bench/truth/fit.hpp) that predict the measured step times of DIR/training.csv best, and prints
// them as catalog/calibration.yaml has them. --without leaves a source out of the fit and scores it
// afterwards: that is how far a fit carries. --each-left-out does so with every source in turn and
// prints one table.
#include <fmt/format.h>

#include <cstring>
#include <string>

#include "bench/truth/fit.hpp"
#include "bench/truth/report.hpp"

namespace {

using weir::bench::Score;
using weir::bench::TrainingRow;

std::vector<TrainingRow> rows_where(const std::vector<TrainingRow>& rows, const auto& holds) {
    std::vector<TrainingRow> some;
    for (const TrainingRow& row : rows)
        if (row.score_time && holds(row)) some.push_back(row);
    return some;
}

void print(std::FILE* to, const Score& score) {
    fmt::print(to,
               "{:<30} {:>5} mean {:>5.1f} % median {:>5.1f} % bias {:>+5.1f} % in 90 % {:>3.0f} % "
               "rank {:.2f} regret {:.1f} % worst {} {:.0f} %\n",
               score.group,
               score.rows,
               100 * score.mape,
               100 * score.median_ape,
               100 * score.bias,
               100 * score.coverage,
               score.spearman,
               100 * score.regret,
               score.worst_id,
               100 * score.worst_ape);
}

void print_rows(const std::vector<weir::bench::Predicted>& rows) {
    for (const auto& one : rows)
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

}  // namespace

int main(int argc, char** argv) {
    std::string folder;
    std::string without;
    bool every_row = false;
    bool each = false;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--without") == 0 && i + 1 < argc)
            without = argv[++i];
        else if (std::strcmp(argv[i], "--rows") == 0)
            every_row = true;
        else if (std::strcmp(argv[i], "--each-left-out") == 0)
            each = true;
        else
            folder = argv[i];
    }
    if (folder.empty()) {
        fmt::print(stderr, "usage: plan_fit DIR [--without GROUP] [--each-left-out] [--rows]\n");
        return 2;
    }
    const auto rows = weir::bench::read_training(folder + "/training.csv");
    if (!rows) {
        fmt::print(stderr, "plan_fit: {}\n", rows.error().message);
        return 1;
    }
    if (each) {
        std::vector<TrainingRow> all;
        for (const std::string& group : weir::bench::sources_of(*rows)) {
            const auto own = weir::bench::left_out(*rows, group);
            print(stdout, weir::bench::score_of(group, weir::bench::predict_times(own)));
            all.insert(all.end(), own.begin(), own.end());
        }
        print(stdout, weir::bench::score_of("all", weir::bench::predict_times(all)));
        return 0;
    }
    const auto kept =
        rows_where(*rows, [&](const TrainingRow& row) { return row.group != without; });
    const weir::bench::Fitted fitted = weir::bench::fit_constants(kept);
    fmt::print(stderr, "loss {:.3f} after {} rounds\n", fitted.loss, fitted.rounds);
    fmt::print("{}", weir::bench::yaml_of(fitted.constants));
    const auto scored = weir::bench::with_constants(
        without.empty()
            ? kept
            : rows_where(*rows, [&](const TrainingRow& row) { return row.group == without; }),
        fitted.constants);
    const auto predicted = weir::bench::predict_times(scored);
    if (every_row) print_rows(predicted);
    for (const Score& score : weir::bench::scores_of(predicted))
        print(stderr, score);
    return 0;
}
