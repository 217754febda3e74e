#include "bench/truth/fit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "weir/plan/training.hpp"

namespace weir::bench {
namespace {

using plan::Calibrations;
using plan::ChipCalibration;
using plan::LinkCalibration;

// How far constants deviate, as standard deviations of their logarithms, before a run is seen:
// shares are known to a tenth or two, times and sizes to their order of magnitude.
struct Known {
    double base;
    double family;
    double chip;
};
constexpr Known share_known{0.25, 0.10, 0.20};
constexpr Known size_known{0.70, 0.30, 0.30};
constexpr double link_base_known = 0.20;
constexpr double link_known = 0.35;
constexpr double latency_known = 0.5;
constexpr double law_known = 0.15;
// The error of one run that is no surprise, and the part of it below which errors count squared.
constexpr double usual_error = 0.06;
constexpr double smooth_error = 0.02;
// A constant is said of a chip or link where its runs tell this much of what was known before (as a
// share of its precision): else it is left to the level above.
constexpr double told_of_chip = 0.1;
constexpr double told_of_link = 1.0;
// A chip with few runs has the spread of one with so many usual errors.
constexpr double spread_runs = 3;
constexpr double spread_usual = 0.10;
// A table of n runs weighs as this power of n; from some point on they are near copies (the 1,440
// of one grid are put together from the same 32 layers).
constexpr double table_exponent = 0.5;
constexpr double table_runs_max = 64;
constexpr int rounds_max = 40;

// Collectives that were measured by themselves, which step times cannot tell from what runs beside
// them: a line through the times of a table, as the model draws it. `deviation`: of the logarithm.
struct MeasuredLink {
    std::string_view link;
    std::string_view constant;
    double value;
    double deviation;
    std::string_view source;
};
// All-to-all of DeepEP over ports of 400 Gbit/s on 16 and 32 chips: 81 to 90 and 61 GB/s, of which
// a half and three quarters leave the node, 40 to 46 GB/s of 50 (deepseek-ai/DeepEP, README.md).
constexpr std::array measured_links{
    MeasuredLink{"infiniband", "alltoall_share", 0.86, 0.15, "deepseek-ai/DeepEP"},
};

bool is_share(std::string_view name) {
    return (name.find("share") != std::string_view::npos && name != "gemm_store_share") ||
           name.find("older") != std::string_view::npos;
}

// The logarithm of a constant as a sum of parameters, each with a coefficient, and of laws of the
// datasheet, which have a parameter of their own.
enum class Law : std::uint8_t { none, power, power_fp8, bandwidth };
struct Piece {
    std::size_t parameter;
    Law law = Law::none;
    plan::Datasheet sheet{};
};
using Sum = std::vector<Piece>;

struct Parameter {
    double value = 0;
    double mean = 0;
    double deviation = 1;
};

// A constant that is learned as a ratio to another of the same chip or link.
const std::map<std::string_view, std::string_view>& ratios() {
    static const std::map<std::string_view, std::string_view> known{
        {"gemm_fp8_share", "gemm_share"},
        {"attention_back_share", "attention_share"},
        {"alltoall_share", "bandwidth_share"}};
    return known;
}

template <class Constants>
auto member_of(const Constants& constants, std::string_view name) {
    return std::find_if(constants.begin(),
                        constants.end(),
                        [&](const auto& one) { return one.name == name; })
        ->member;
}

class Fit {
public:
    explicit Fit(const std::vector<TrainingRow>& rows) {
        for (const TrainingRow& row : rows) {
            if (!row.score_time) continue;
            rows_.push_back(row);
            Uses uses;
            uses.chip = add_chip(row.machine);
            uses.inside = add_link(row.machine.inside.kind);
            uses.between = add_link(row.machine.between.kind);
            uses_.push_back(uses);
        }
        weigh();
        parametrise();
    }

    Fitted run() {
        Fitted result;
        double damping = 1e-2;
        double loss = loss_of(errors());
        for (; result.rounds < rounds_max; ++result.rounds) {
            const double before = loss;
            const auto [matrix, gradient] = normal_equations();
            bool better = false;
            for (int attempt = 0; attempt < 8 && !better; ++attempt) {
                const std::vector<double> step = solve(matrix, gradient, damping);
                const std::vector<Parameter> kept = parameters_;
                for (std::size_t i = 0; i < parameters_.size(); ++i)
                    parameters_[i].value -= std::clamp(step[i], -0.5, 0.5);
                const double trial = loss_of(errors());
                if (trial < loss) {
                    better = true;
                    loss = trial;
                    damping = std::max(damping / 4, 1e-6);
                } else {
                    parameters_ = kept;
                    damping *= 4;
                }
            }
            if (!better || before - loss < 1e-5 * before) break;
        }
        result.loss = loss;
        result.constants = constants();
        return result;
    }

private:
    struct Uses {
        std::size_t chip = 0;
        std::size_t inside = 0;
        std::size_t between = 0;
    };
    struct Chip {
        std::string name{};
        plan::Datasheet sheet{};
        const plan::ChipFamily* family = nullptr;
        std::map<std::string_view, Sum> sums{};
        std::map<std::string_view, std::size_t> own{};  // its deviation
    };
    struct LinkKind {
        std::string name{};
        std::map<std::string_view, Sum> sums{};
        std::map<std::string_view, std::size_t> own{};
    };

    std::size_t add_chip(const plan::Machine& machine) {
        // Chips that share an entry are one.
        const Calibrations& now = plan::built_in_calibrations();
        const Calibrations::ChipEntry* const entry = now.entry(machine.chip_name);
        const std::string name = entry != nullptr ? entry->names[0] : machine.chip_name;
        for (std::size_t i = 0; i < chips_.size(); ++i)
            if (chips_[i].name == name) return i;
        chips_.push_back({name, machine.datasheet(), now.family(name), {}, {}});
        return chips_.size() - 1;
    }

    std::size_t add_link(const std::string& kind) {
        for (std::size_t i = 0; i < links_.size(); ++i)
            if (links_[i].name == kind) return i;
        links_.push_back({kind, {}, {}});
        return links_.size() - 1;
    }

    void weigh() {
        const auto table = [](const TrainingRow& row) {
            return row.group + "/" + row.chip + (row.moe ? "/experts" : "");
        };
        std::map<std::string, double> sizes;
        for (const TrainingRow& row : rows_)
            sizes[table(row)] += 1;
        for (const TrainingRow& row : rows_) {
            const double size = sizes[table(row)];
            weights_.push_back(std::pow(std::min(size, table_runs_max), table_exponent) / size);
        }
    }

    std::size_t parameter(double value, double deviation) {
        parameters_.push_back({value, value, deviation});
        return parameters_.size() - 1;
    }

    void parametrise() {
        law_power_ = parameter(std::log(plan::Laws{}.power_flops_per_watt), law_known);
        law_power_fp8_ = parameter(std::log(plan::Laws{}.power_fp8_flops_per_watt), law_known);
        law_bandwidth_ = parameter(0, law_known);
        const ChipCalibration usual;
        for (const auto& constant : plan::chip_constants()) {
            if (constant.name == "spread") continue;
            const Known& known = is_share(constant.name) ? share_known : size_known;
            const auto ratio = ratios().find(constant.name);
            const bool is_ratio = ratio != ratios().end();
            const double start =
                is_ratio ? std::log(usual.*constant.member /
                                    (usual.*member_of(plan::chip_constants(), ratio->second)))
                         : std::log(usual.*constant.member);
            const std::size_t base = parameter(start, known.base);
            Sum any{{base}};
            if (is_ratio) any = joined(any_.at(ratio->second), any);
            any_[constant.name] = any;
            for (Chip& chip : chips_) {
                Sum sum{{base}};
                if (chip.family != nullptr) {
                    auto& of_family = family_own_[chip.family->name];
                    if (of_family.count(constant.name) == 0) {
                        of_family[constant.name] = parameter(0, known.family);
                        Sum whole{{base}, {of_family[constant.name]}};
                        if (is_ratio)
                            whole = joined(families_[chip.family->name].at(ratio->second), whole);
                        families_[chip.family->name][constant.name] = whole;
                    }
                    sum.push_back({of_family[constant.name]});
                }
                if (constant.name == "gemm_share")
                    sum.push_back({law_power_, Law::power, chip.sheet});
                if (constant.name == "memory_share")
                    sum.push_back({law_bandwidth_, Law::bandwidth, chip.sheet});
                chip.own[constant.name] = parameter(0, known.chip);
                sum.push_back({chip.own[constant.name]});
                if (is_ratio) {
                    // FP8 has a law of its own.
                    for (Piece piece : chip.sums.at(ratio->second)) {
                        if (piece.law == Law::power)
                            piece = {law_power_fp8_, Law::power_fp8, chip.sheet};
                        sum.push_back(piece);
                    }
                }
                chip.sums[constant.name] = sum;
            }
        }
        const LinkCalibration usual_link;
        for (const auto& constant : plan::link_constants()) {
            const auto ratio = ratios().find(constant.name);
            const bool is_ratio = ratio != ratios().end();
            const double start =
                is_ratio ? std::log(usual_link.*constant.member /
                                    (usual_link.*member_of(plan::link_constants(), ratio->second)))
                         : std::log(usual_link.*constant.member);
            const bool share = is_share(constant.name);
            const std::size_t base = parameter(start, share ? link_base_known : latency_known);
            Sum any{{base}};
            if (is_ratio) any = joined(any_link_.at(ratio->second), any);
            any_link_[constant.name] = any;
            for (LinkKind& link : links_) {
                link.own[constant.name] = parameter(0, share ? link_known : latency_known);
                Sum sum{{base}, {link.own[constant.name]}};
                if (is_ratio) sum = joined(link.sums.at(ratio->second), sum);
                link.sums[constant.name] = sum;
            }
        }
    }

    static Sum joined(const Sum& one, const Sum& other) {
        Sum all = one;
        all.insert(all.end(), other.begin(), other.end());
        return all;
    }

    // What a piece adds to the logarithm, if its parameter is `value`.
    static double part_of(const Piece& piece, double value) {
        switch (piece.law) {
            case Law::none:
                return value;
            case Law::power:
                return std::log(plan::power_factor({std::exp(value), 1, 0}, piece.sheet));
            case Law::power_fp8:
                return std::log(plan::power_fp8_factor({1, std::exp(value), 0}, piece.sheet));
            case Law::bandwidth:
                return std::log(plan::bandwidth_factor({1, 1, value}, piece.sheet));
        }
        return 0;
    }

    double slope_of(const Piece& piece) const {
        if (piece.law == Law::none) return 1;
        constexpr double h = 1e-4;
        const double value = parameters_[piece.parameter].value;
        return (part_of(piece, value + h) - part_of(piece, value - h)) / (2 * h);
    }

    double value_of(const Sum& sum) const {
        double log = 0;
        for (const Piece& piece : sum)
            log += part_of(piece, parameters_[piece.parameter].value);
        return std::exp(log);
    }

    template <class Calibration, class Constants>
    Calibration made(const std::map<std::string_view, Sum>& sums,
                     const Constants& constants) const {
        Calibration result;
        for (const auto& constant : constants) {
            const auto sum = sums.find(constant.name);
            if (sum != sums.end())
                result.*constant.member =
                    std::clamp(value_of(sum->second), constant.low, constant.high);
        }
        return result;
    }

    // Puts what the parameters say onto the machines of all rows.
    void apply() {
        std::vector<ChipCalibration> chips;
        for (const Chip& chip : chips_)
            chips.push_back(made<ChipCalibration>(chip.sums, plan::chip_constants()));
        std::vector<LinkCalibration> links;
        for (const LinkKind& link : links_)
            links.push_back(made<LinkCalibration>(link.sums, plan::link_constants()));
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            rows_[i].machine.chip = chips[uses_[i].chip];
            rows_[i].machine.inside.calibration = links[uses_[i].inside];
            rows_[i].machine.between.calibration = links[uses_[i].between];
        }
    }

    static double log_error(const TrainingRow& row) {
        const plan::TrainingModel model(row.job, row.machine);
        return std::log(model.predict(row.strategy).step_s / row.step_s);
    }

    std::vector<double> errors() {
        apply();
        std::vector<double> all;
        for (const TrainingRow& row : rows_)
            all.push_back(log_error(row));
        return all;
    }

    double loss_of(const std::vector<double>& errors) const {
        double loss = 0;
        for (std::size_t i = 0; i < errors.size(); ++i) {
            const double e = errors[i];
            loss += weights_[i] * (std::sqrt(e * e + smooth_error * smooth_error) + e * e) /
                    usual_error;
        }
        for (const Parameter& one : parameters_)
            loss += std::pow((one.value - one.mean) / one.deviation, 2) / 2;
        for (const MeasuredLink& one : measured_links) {
            if (const Sum* sum = sum_of(one))
                loss += std::pow(std::log(value_of(*sum) / one.value) / one.deviation, 2) / 2;
        }
        return loss;
    }

    const Sum* sum_of(const MeasuredLink& measured) const {
        for (const LinkKind& link : links_)
            if (link.name == measured.link) return &link.sums.at(measured.constant);
        return nullptr;
    }

    using Matrix = std::vector<std::vector<double>>;

    // The quadratic form that the loss looks like from here, and its gradient.
    std::pair<Matrix, std::vector<double>> normal_equations() {
        apply();
        const std::size_t n = parameters_.size();
        Matrix matrix(n, std::vector<double>(n, 0.0));
        std::vector<double> gradient(n, 0.0);
        std::vector<double> slope(n, 0.0);
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            TrainingRow row = rows_[i];
            const double e = log_error(row);
            std::vector<std::size_t> touched;
            const auto add = [&](double& value, const Sum& sum, double low, double high) {
                const double kept = value;
                constexpr double h = 0.02;
                // At an end of its range, only the way back counts.
                const double direction = kept * (1 + h) > high ? -1 : 1;
                const double there = kept * (1 + direction * h);
                if (there < low || value_of(sum) > high * (1 + h) || value_of(sum) < low * (1 - h))
                    return;
                value = there;
                const double d = (log_error(row) - e) / std::log(1 + direction * h);
                value = kept;
                if (d == 0) return;
                for (const Piece& piece : sum) {
                    if (slope[piece.parameter] == 0) touched.push_back(piece.parameter);
                    slope[piece.parameter] += slope_of(piece) * d;
                }
            };
            const Chip& chip = chips_[uses_[i].chip];
            for (const auto& constant : plan::chip_constants()) {
                if (constant.name == "spread") continue;
                add(row.machine.chip.*constant.member,
                    chip.sums.at(constant.name),
                    constant.low,
                    constant.high);
            }
            for (const bool inside : {true, false}) {
                LinkCalibration& link =
                    inside ? row.machine.inside.calibration : row.machine.between.calibration;
                const LinkKind& kind = links_[inside ? uses_[i].inside : uses_[i].between];
                for (const auto& constant : plan::link_constants())
                    add(link.*constant.member,
                        kind.sums.at(constant.name),
                        constant.low,
                        constant.high);
            }
            // Weighted as its derivative, so that the quadratic form has the slope of the loss.
            const double weight = weights_[i] *
                                  (1 / std::sqrt(e * e + smooth_error * smooth_error) + 2) /
                                  usual_error;
            std::sort(touched.begin(), touched.end());
            touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
            for (const std::size_t a : touched) {
                gradient[a] += weight * e * slope[a];
                for (const std::size_t b : touched)
                    matrix[a][b] += weight * slope[a] * slope[b];
            }
            for (const std::size_t a : touched)
                slope[a] = 0;
        }
        for (std::size_t a = 0; a < n; ++a) {
            const Parameter& one = parameters_[a];
            const double precision = 1 / (one.deviation * one.deviation);
            matrix[a][a] += precision;
            gradient[a] += precision * (one.value - one.mean);
        }
        for (const MeasuredLink& one : measured_links) {
            const Sum* const sum = sum_of(one);
            if (sum == nullptr) continue;
            const double off = std::log(value_of(*sum) / one.value);
            const double precision = 1 / (one.deviation * one.deviation);
            for (const Piece& a : *sum) {
                gradient[a.parameter] += precision * off * slope_of(a);
                for (const Piece& b : *sum)
                    matrix[a.parameter][b.parameter] += precision * slope_of(a) * slope_of(b);
            }
        }
        return {std::move(matrix), std::move(gradient)};
    }

    // By Cholesky, with a part of the diagonal added.
    static std::vector<double> solve(Matrix a, std::vector<double> b, double damping) {
        const std::size_t n = b.size();
        for (std::size_t i = 0; i < n; ++i)
            a[i][i] *= 1 + damping;
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j <= i; ++j) {
                double sum = a[i][j];
                for (std::size_t k = 0; k < j; ++k)
                    sum -= a[i][k] * a[j][k];
                a[i][j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / a[j][j];
            }
        }
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t k = 0; k < i; ++k)
                b[i] -= a[i][k] * b[k];
            b[i] /= a[i][i];
        }
        for (std::size_t i = n; i-- > 0;) {
            for (std::size_t k = i + 1; k < n; ++k)
                b[i] -= a[k][i] * b[k];
            b[i] /= a[i][i];
        }
        return b;
    }

    std::string sources_of(const auto& uses_it) const {
        std::set<std::string> names;
        std::size_t count = 0;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            if (!uses_it(i)) continue;
            names.insert(rows_[i].source);
            ++count;
        }
        return fmt::format("{} step times of {}", count, fmt::join(names, ", "));
    }

    // How much the runs tell of a parameter, over what was known of it before.
    double told(const Matrix& matrix, std::size_t parameter) const {
        const double deviation = parameters_[parameter].deviation;
        return matrix[parameter][parameter] * deviation * deviation - 1;
    }

    // Standard deviation of the errors of the rows that `counts` holds of.
    static double spread_of(const std::vector<double>& errors, const auto& counts) {
        double sum = spread_runs * spread_usual * spread_usual;
        double count = spread_runs;
        for (std::size_t i = 0; i < errors.size(); ++i) {
            if (!counts(i)) continue;
            sum += errors[i] * errors[i];
            count += 1;
        }
        return std::sqrt(sum / count);
    }

    Calibrations constants() {
        const Matrix matrix = normal_equations().first;
        const std::vector<double> off = errors();
        const Calibrations& now = plan::built_in_calibrations();
        Calibrations found;
        found.laws = {std::exp(parameters_[law_power_].value),
                      std::exp(parameters_[law_power_fp8_].value),
                      parameters_[law_bandwidth_].value};
        found.any_chip = made<ChipCalibration>(any_, plan::chip_constants());
        found.any_chip.source = "what the chips below reach in general";
        found.any_chip.spread = spread_of(off, [](std::size_t) { return true; });
        found.any_link = made<LinkCalibration>(any_link_, plan::link_constants());
        found.any_link.source = "what the links below reach in general";
        for (const plan::ChipFamily& family : now.families) {
            plan::ChipFamily one{family.name, family.chips, found.any_chip};
            one.constants.source = "no runs";
            const auto known = families_.find(family.name);
            if (known != families_.end()) {
                one.constants = made<ChipCalibration>(known->second, plan::chip_constants());
                one.constants.family_fitted = true;
                const auto is_kin = [&](std::size_t i) {
                    const plan::ChipFamily* const its = chips_[uses_[i].chip].family;
                    return its != nullptr && its->name == family.name;
                };
                one.constants.source = sources_of(is_kin);
                one.constants.spread = spread_of(off, is_kin);
            }
            found.families.push_back(std::move(one));
        }
        for (std::size_t c = 0; c < chips_.size(); ++c) {
            const Chip& chip = chips_[c];
            const Calibrations::ChipEntry* const entry = now.entry(chip.name);
            Calibrations::ChipEntry own;
            own.names = entry != nullptr ? entry->names : std::vector<std::string>{chip.name};
            const auto is_own = [&](std::size_t i) { return uses_[i].chip == c; };
            own.source = sources_of(is_own);
            const auto all = made<ChipCalibration>(chip.sums, plan::chip_constants());
            for (const auto& constant : plan::chip_constants())
                if (constant.name != "spread" &&
                    told(matrix, chip.own.at(constant.name)) > told_of_chip)
                    own.said.emplace_back(constant.member, all.*constant.member);
            own.said.emplace_back(&ChipCalibration::spread, spread_of(off, is_own));
            found.chips.push_back(std::move(own));
        }
        for (std::size_t l = 0; l < links_.size(); ++l) {
            LinkCalibration link = made<LinkCalibration>(links_[l].sums, plan::link_constants());
            const auto is_told = [&](std::string_view name) {
                return told(matrix, links_[l].own.at(name)) > told_of_link;
            };
            link.fitted = is_told("bandwidth_share");
            link.alltoall_fitted = is_told("alltoall_share");
            if (!link.alltoall_fitted)
                link.alltoall_share = link.bandwidth_share * found.any_link.alltoall_share /
                                      found.any_link.bandwidth_share;
            link.source = sources_of(
                [&](std::size_t i) { return uses_[i].inside == l || uses_[i].between == l; });
            for (const MeasuredLink& one : measured_links)
                if (one.link == links_[l].name)
                    link.source += fmt::format(" and the {} of {}", one.constant, one.source);
            if (!links_[l].name.empty() && (link.fitted || link.alltoall_fitted))
                found.links[links_[l].name] = link;
        }
        return found;
    }

    std::vector<TrainingRow> rows_;
    std::vector<Uses> uses_;
    std::vector<double> weights_;
    std::vector<Chip> chips_;
    std::vector<LinkKind> links_;
    std::vector<Parameter> parameters_;
    std::size_t law_power_ = 0;
    std::size_t law_power_fp8_ = 0;
    std::size_t law_bandwidth_ = 0;
    std::map<std::string_view, Sum> any_;
    std::map<std::string_view, Sum> any_link_;
    std::map<std::string, std::map<std::string_view, Sum>> families_;
    std::map<std::string, std::map<std::string_view, std::size_t>> family_own_;
};

}  // namespace

Fitted fit_constants(const std::vector<TrainingRow>& rows) {
    return Fit(rows).run();
}

std::string yaml_of(const Calibrations& constants) {
    std::string text =
        "# What measured training runs teach beyond datasheets: weir/plan/calibration.hpp explains "
        "each constant.\n# Found by plan_fit (bench/) on published step times and printed by it; a "
        "source names the tables.\n# An entry says what its runs could tell; the rest comes from "
        "its "
        "family, and else from `any`.\n";
    const auto add = [&](const auto& calibration, const auto& table) {
        for (const auto& constant : table)
            text += fmt::format("    {}: {:.4g}\n", constant.name, calibration.*constant.member);
    };
    text += fmt::format(
        "laws:\n  power_flops_per_watt: {:.4g}\n  power_fp8_flops_per_watt: {:.4g}\n"
        "  memory_share_by_bandwidth: {:.4g}\n",
        constants.laws.power_flops_per_watt,
        constants.laws.power_fp8_flops_per_watt,
        constants.laws.memory_share_by_bandwidth);
    text += "families:\n";
    for (const plan::ChipFamily& family : constants.families) {
        text += fmt::format("  - name: {}\n    chips: [{}]\n    source: \"{}\"\n",
                            family.name,
                            fmt::join(family.chips, ", "),
                            family.constants.source);
        if (family.constants.family_fitted) add(family.constants, plan::chip_constants());
    }
    text += fmt::format("chips:\n  - names: any\n    source: \"{}\"\n", constants.any_chip.source);
    add(constants.any_chip, plan::chip_constants());
    for (const Calibrations::ChipEntry& entry : constants.chips) {
        text += fmt::format(
            "  - names: [{}]\n    source: \"{}\"\n", fmt::join(entry.names, ", "), entry.source);
        for (const auto& constant : plan::chip_constants())
            for (const auto& [member, value] : entry.said)
                if (member == constant.member)
                    text += fmt::format("    {}: {:.4g}\n", constant.name, value);
    }
    text += fmt::format("links:\n  - names: any\n    source: \"{}\"\n", constants.any_link.source);
    add(constants.any_link, plan::link_constants());
    for (const auto& [name, link] : constants.links) {
        text += fmt::format("  - names: {}\n    source: \"{}\"\n", name, link.source);
        for (const auto& constant : plan::link_constants())
            if (constant.name != "alltoall_share" || link.alltoall_fitted)
                text += fmt::format("    {}: {:.4g}\n", constant.name, link.*constant.member);
    }
    return text;
}

std::vector<TrainingRow> with_constants(std::vector<TrainingRow> rows,
                                        const Calibrations& constants) {
    for (TrainingRow& row : rows) {
        row.machine.chip = constants.chip(row.machine.chip_name, row.machine.datasheet());
        row.machine.inside.calibration = constants.link(row.machine.inside.kind);
        row.machine.between.calibration = constants.link(row.machine.between.kind);
    }
    return rows;
}

std::set<std::string> sources_of(const std::vector<TrainingRow>& rows) {
    std::set<std::string> sources;
    for (const TrainingRow& row : rows)
        if (row.score_time && row.group != "mcore") sources.insert(row.group);
    return sources;
}

std::vector<TrainingRow> left_out(const std::vector<TrainingRow>& rows, const std::string& source) {
    std::vector<TrainingRow> own;
    std::vector<TrainingRow> others;
    for (const TrainingRow& row : rows)
        if (row.score_time) (row.group == source ? own : others).push_back(row);
    return with_constants(std::move(own), fit_constants(others).constants);
}

}  // namespace weir::bench
