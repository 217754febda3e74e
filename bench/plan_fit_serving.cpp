// plan_fit_serving DIR [--without SOURCE] [--steps N]: finds the constants of catalog/serving.yaml
// on DIR/inference.csv and prints that file. With --without a source is left out of the fit, and
// how well the rest predicts it is printed instead.
//
// Each constant belongs to a kind of chip or link or to an engine, never to a row, a model or a
// source. A source counts with the square root of its rows, an error with its logarithm, large ones
// linearly; rows that contradict themselves (InferenceRow::doubtful) are left out.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bench/truth/inference.hpp"

namespace {

using weir::bench::InferenceRow;
using weir::plan::ServingChip;
using weir::plan::ServingEngine;
using weir::plan::ServingLink;

// Chips and links that are one kind: the same design in several products.
struct Kind {
    std::string_view name;
    std::vector<std::string_view> members;
};
const std::vector<Kind>& chip_kinds() {
    static const std::vector<Kind> kinds{
        {"ampere", {"a100-sxm-80g", "a100-sxm-40g", "a100-pcie-80g", "a800-sxm-80g"}},
        {"hopper",
         {"h100-sxm-80g", "h100-pcie-80g", "h100-nvl-94g", "h800-sxm-80g", "h200", "h20"}},
        {"blackwell", {"b200", "gb200", "b300", "gb300"}},
        {"workstation", {"rtx-pro-6000", "rtx-4090"}}};
    return kinds;
}
const std::vector<Kind>& link_kinds() {
    static const std::vector<Kind> kinds{{"nvlink3", {"nvlink3"}},
                                         {"nvlink4", {"nvlink4"}},
                                         {"nvlink5", {"nvlink5", "nvl72"}},
                                         {"pcie", {"pcie"}}};
    return kinds;
}
const std::vector<Kind>& engine_kinds() {
    static const std::vector<Kind> kinds{{"tensorrt-llm", {"tensorrt-llm"}},
                                         {"vllm", {"vllm"}},
                                         {"sglang", {"sglang"}},
                                         {"lmdeploy", {"lmdeploy"}},
                                         {"faster-transformer", {"faster-transformer"}}};
    return kinds;
}
std::size_t kind_of(const std::vector<Kind>& kinds, std::string_view name) {
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        for (const std::string_view member : kinds[i].members) {
            if (member == name) return i;
        }
    }
    return 0;
}

// Of each kind, and what a kind is like of which nothing is known: the middle of the others.
struct Constants {
    std::vector<ServingChip> chips;
    std::vector<ServingLink> links;
    std::vector<ServingEngine> engines;
    ServingChip any_chip{};
    ServingLink any_link{};
    ServingEngine any_engine{};
};

// Always from the same place, so that a fit can be repeated; what an engine's documentation says is
// kept.
Constants constants_at_start() {
    Constants constants;
    constants.chips.resize(chip_kinds().size());
    constants.links.resize(link_kinds().size());
    for (const Kind& kind : engine_kinds()) {
        const ServingEngine& documented = weir::plan::serving_engine(kind.members[0]);
        ServingEngine engine;
        engine.request_s = documented.request_s;
        engine.stream_s = documented.stream_s;
        engine.idle_sequences = documented.idle_sequences;
        engine.memory_share = documented.memory_share;
        engine.chunk_tokens = documented.chunk_tokens;
        engine.batch_max = documented.batch_max;
        engine.keeps_whole = documented.keeps_whole;
        constants.engines.push_back(engine);
    }
    return constants;
}

struct Row {
    const InferenceRow* row;
    std::size_t chip;
    std::size_t link;
    std::size_t engine;
    double weight;
};

// One constant to move, and where it lives.
struct Knob {
    std::string name;
    double* value;
    double* any;  // the same of a kind of which nothing is known
    double low;
    double high;
    double start;
    int family;  // 0 chips, 1 links, 2 engines
    std::size_t kind;
};

// Where a fit may look: what such hardware and software is known to do. Without them constants
// that the rows hardly tell apart would run away together.
struct Bounds {
    std::string_view name;
    double low;
    double high;
};
// What is no measurement but what an engine's documentation or a look at its rows says; and the
// spreads, which come last.
constexpr std::array<std::string_view, 10> policies{"spread",
                                                    "experts_spread",
                                                    "first_spread",
                                                    "request_s",
                                                    "stream_s",
                                                    "idle_sequences",
                                                    "memory_share",
                                                    "chunk_tokens",
                                                    "batch_max",
                                                    "keeps_whole"};
bool is_policy(std::string_view name) {
    return std::find(policies.begin(), policies.end(), name) != policies.end();
}
constexpr Bounds plausible[] = {
    {"product_share", 0.45, 0.85},     {"product_fp8_share", 0.35, 0.80},
    {"product_fp4_share", 0.30, 0.75}, {"weights_share", 0.50, 0.92},
    {"weights_fp4_share", 0.35, 0.90}, {"cache_share", 0.30, 0.90},
    {"attention_share", 0.25, 0.70},   {"moving_share", 0.30, 0.90},
    {"product_s", 2e-7, 6e-6},         {"reduce_s", 1e-6, 4e-5},
    {"reduce_hop_s", 2e-7, 2e-5},      {"bandwidth_share", 0.25, 1.6},
    {"exchange_s", 3e-6, 2e-4},        {"kernel_s", 8e-7, 6e-6},
    {"eager_kernel_s", 2e-6, 2e-4},    {"step_s", 1e-4, 6e-3},
    {"sequence_s", 2e-7, 4e-5},        {"product_slowdown", 0.9, 2.0},
    {"experts_slowdown", 0.9, 3.0},    {"experts_layer_s", 1e-7, 8e-5},
    {"attention_slowdown", 0.8, 5.0},  {"reduce_slowdown", 0.5, 4.0},
    {"exchange_slowdown", 0.5, 10.0},  {"first_s", 2e-3, 0.3}};

template <class Record>
void add_knobs(std::vector<Knob>& knobs,
               int family,
               std::vector<Record>& records,
               Record& any,
               std::span<const weir::plan::ServingConstant<Record>> constants,
               const std::vector<std::string_view>& fixed) {
    for (std::size_t kind = 0; kind < records.size(); ++kind) {
        for (const auto& constant : constants) {
            if (std::find(fixed.begin(), fixed.end(), constant.name) != fixed.end()) continue;
            // What one engine is slower than another, TensorRT-LLM is by definition not.
            if (family == 2 && kind == 0 &&
                (constant.name == "product_slowdown" || constant.name == "attention_slowdown" ||
                 constant.name == "reduce_slowdown" || constant.name == "exchange_slowdown" ||
                 constant.name == "experts_slowdown"))
                continue;
            double& value = records[kind].*constant.member;
            double low = constant.low;
            double high = constant.high;
            for (const Bounds& bounds : plausible) {
                if (bounds.name != constant.name) continue;
                low = bounds.low;
                high = bounds.high;
            }
            const double start = std::clamp(Record{}.*constant.member, low, high);
            value = std::clamp(value, low, high);
            any.*constant.member = std::clamp(any.*constant.member, low, high);
            knobs.push_back({std::string(constant.name),
                             &value,
                             &(any.*constant.member),
                             low,
                             high,
                             start,
                             family,
                             kind});
        }
    }
}

// The logarithms of the errors of a row: tokens a second, time of a token, time to the first.
std::array<double, 3> errors_of(const Row& one, const Constants& constants) {
    const InferenceRow& row = *one.row;
    const weir::plan::ServingModel model(row.job,
                                         row.machine,
                                         constants.chips[one.chip],
                                         constants.links[one.link],
                                         weir::plan::serving_link("any"));
    const auto p = model.predict(row.plan, constants.engines[one.engine]);
    return {
        row.output_tok_s > 0 ? std::log(weir::bench::throughput_of(row, p) / row.output_tok_s) : 0,
        row.tpot_s > 0 ? std::log(p.tpot_s / row.tpot_s) : 0,
        row.ttft_s > 0 && row.plan.traffic != weir::plan::Traffic::queue
            ? std::log(p.ttft_s / row.ttft_s)
            : 0};
}

// Times to the first token are noisy: they depend on how a benchmark starts.
constexpr std::array<double, 3> metric_weights{1, 1, 0.15};
// Errors are counted squared up to here and linearly beyond.
constexpr double bend = 0.05;
// Of each kind towards the middle of its family, and of that towards what is known beforehand. So
// strong that sources left out of the fit are predicted best.
constexpr double pull = 0.8;
// Of what is known beforehand, in kinds.
constexpr double prior = 4;

// The middle of a family: of its kinds, and of what is known beforehand.
void centre(const std::vector<Knob>& knobs) {
    std::map<double*, std::pair<double, double>> sums;
    for (const Knob& knob : knobs) {
        auto& [sum, weight] =
            sums.try_emplace(knob.any, prior * std::log(knob.start), prior).first->second;
        sum += std::log(*knob.value);
        weight += 1;
    }
    for (const auto& [any, sum] : sums)
        *any = std::exp(sum.first / sum.second);
}

double loss_of(double log_error) {
    const double size = std::abs(log_error);
    return size < bend ? size * size / (2 * bend) : size - bend / 2;
}

double total_of(const std::vector<Row>& rows,
                const Constants& constants,
                const std::vector<Knob>& knobs) {
    double total = 0;
    for (const Row& row : rows) {
        const auto errors = errors_of(row, constants);
        for (std::size_t m = 0; m < errors.size(); ++m)
            total += row.weight * metric_weights[m] * loss_of(errors[m]);
    }
    std::set<double*> centres;
    for (const Knob& knob : knobs) {
        const double away = std::log(*knob.value / *knob.any);
        total += pull * away * away / 2;
        if (!centres.insert(knob.any).second) continue;
        const double moved = std::log(*knob.any / knob.start);
        total += prior * pull * moved * moved / 2;
    }
    return total;
}

// Solves a symmetric positive system in place (Cholesky).
std::vector<double> solve(std::vector<std::vector<double>> a, std::vector<double> b) {
    const std::size_t n = b.size();
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            double sum = a[i][j];
            for (std::size_t k = 0; k < j; ++k)
                sum -= a[i][k] * a[j][k];
            a[i][j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / a[j][j];
        }
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

// Levenberg-Marquardt on the logarithms of the constants, with weights that make large errors
// count linearly.
double fit(std::vector<Row>& rows, Constants& constants, int steps) {
    std::vector<Knob> knobs;
    add_knobs<ServingChip>(knobs,
                           0,
                           constants.chips,
                           constants.any_chip,
                           weir::plan::serving_chip_constants(),
                           {"spread"});
    add_knobs<ServingLink>(
        knobs, 1, constants.links, constants.any_link, weir::plan::serving_link_constants(), {});
    add_knobs<ServingEngine>(knobs,
                             2,
                             constants.engines,
                             constants.any_engine,
                             weir::plan::serving_engine_constants(),
                             {policies.begin(), policies.end()});
    const std::size_t n = knobs.size();
    double total = total_of(rows, constants, knobs);
    double damping = 0.1;
    for (int step = 0; step < steps && damping < 1e6; ++step) {
        centre(knobs);
        const double before_step = total = total_of(rows, constants, knobs);
        std::vector<std::vector<double>> hessian(n, std::vector<double>(n));
        std::vector<double> gradient(n);
        for (const Row& row : rows) {
            const auto errors = errors_of(row, constants);
            std::vector<std::size_t> moved;
            std::vector<std::array<double, 3>> slopes;
            for (std::size_t k = 0; k < n; ++k) {
                Knob& knob = knobs[k];
                const std::size_t kind = knob.family == 0   ? row.chip
                                         : knob.family == 1 ? row.link
                                                            : row.engine;
                if (kind != knob.kind) continue;
                constexpr double h = 0.02;
                const double before = *knob.value;
                *knob.value = before * std::exp(h);
                auto up = errors_of(row, constants);
                *knob.value = before * std::exp(-h);
                const auto down = errors_of(row, constants);
                *knob.value = before;
                for (std::size_t m = 0; m < up.size(); ++m)
                    up[m] = (up[m] - down[m]) / (2 * h);
                moved.push_back(k);
                slopes.push_back(up);
            }
            for (std::size_t m = 0; m < errors.size(); ++m) {
                const double weight =
                    row.weight * metric_weights[m] / std::max(bend, std::abs(errors[m]));
                for (std::size_t i = 0; i < moved.size(); ++i) {
                    gradient[moved[i]] += weight * slopes[i][m] * errors[m];
                    for (std::size_t j = 0; j <= i; ++j)
                        hessian[moved[i]][moved[j]] += weight * slopes[i][m] * slopes[j][m];
                }
            }
        }
        for (std::size_t k = 0; k < n; ++k) {
            gradient[k] += pull * std::log(*knobs[k].value / *knobs[k].any);
            hessian[k][k] += pull;
        }
        while (damping < 1e6) {
            auto damped = hessian;
            auto right = gradient;
            for (std::size_t k = 0; k < n; ++k) {
                damped[k][k] *= 1 + damping;
                // What would leave its bounds stays.
                const bool low = *knobs[k].value <= knobs[k].low * 1.0001 && gradient[k] > 0;
                const bool high = *knobs[k].value >= knobs[k].high * 0.9999 && gradient[k] < 0;
                if (!low && !high) continue;
                for (std::size_t j = 0; j < n; ++j)
                    (j < k ? damped[k][j] : damped[j][k]) = j == k ? 1.0 : 0.0;
                right[k] = 0;
            }
            const auto change = solve(damped, right);
            std::vector<double> before;
            for (std::size_t k = 0; k < n; ++k) {
                before.push_back(*knobs[k].value);
                *knobs[k].value =
                    std::clamp(before[k] * std::exp(-std::clamp(change[k], -0.5, 0.5)),
                               knobs[k].low,
                               knobs[k].high);
            }
            const double tried = total_of(rows, constants, knobs);
            if (tried < total) {
                damping = std::max(1e-4, damping / 4);
                total = tried;
                break;
            }
            damping *= 4;
            for (std::size_t k = 0; k < n; ++k)
                *knobs[k].value = before[k];
        }
        if (total > before_step * (1 - 1e-5)) break;
    }
    return total;
}

// How well each row is predicted by a fit that saw nothing of its source.
struct Unseen {
    Row row;
    std::array<double, 3> errors;  // as of errors_of
};
std::vector<Unseen> unseen_of(const std::vector<Row>& rows, const Constants& fitted, int steps) {
    std::map<std::string, std::vector<Row>> sources;
    for (const Row& row : rows)
        sources[row.row->source].push_back(row);
    std::vector<Unseen> all;
    for (const auto& [source, own] : sources) {
        std::vector<Row> others;
        for (const Row& row : rows) {
            if (row.row->source != source) others.push_back(row);
        }
        Constants constants = fitted;  // near, so few steps do
        fit(others, constants, steps);
        for (const Row& row : own)
            all.push_back({row, errors_of(row, constants)});
    }
    return all;
}

// The 1.645th part of what nine of ten errors stay below; sources weigh as in the fit. 0 = none.
double spread_of(std::vector<std::pair<double, double>> errors) {
    std::sort(errors.begin(), errors.end());
    double all = 0;
    for (const auto& [error, weight] : errors)
        all += weight;
    double below = 0;
    for (const auto& [error, weight] : errors) {
        below += weight;
        if (below >= 0.9 * all) return std::max(0.05, error / 1.645);
    }
    return 0;
}

// Spreads from rows that the fit had not seen, those of one source left out; what has no others
// keeps that of which nothing is known.
void set_spreads(Constants& constants,
                 const std::vector<Unseen>& unseen,
                 const std::string& without) {
    const auto spread = [&](auto&& belongs, std::initializer_list<std::size_t> metrics) {
        std::vector<std::pair<double, double>> errors;
        for (const Unseen& one : unseen) {
            if (one.row.row->source == without || !belongs(one.row)) continue;
            for (const std::size_t m : metrics) {
                if (one.errors[m] != 0)
                    errors.emplace_back(std::abs(one.errors[m]), one.row.weight);
            }
        }
        return spread_of(std::move(errors));
    };
    const auto set = [](double& value, double otherwise, double found) {
        value = found > 0 ? found : otherwise;
    };
    for (std::size_t i = 0; i < constants.chips.size(); ++i) {
        set(constants.chips[i].spread,
            ServingChip{}.spread,
            spread([i](const Row& row) { return row.chip == i && !row.row->moe; }, {0, 1}));
    }
    for (std::size_t i = 0; i < constants.engines.size(); ++i) {
        ServingEngine& engine = constants.engines[i];
        set(engine.spread,
            ServingEngine{}.spread,
            spread([i](const Row& row) { return row.engine == i && !row.row->moe; }, {0, 1}));
        // Too few models with experts were measured to tell engines apart.
        set(engine.experts_spread,
            ServingEngine{}.experts_spread,
            spread([](const Row& row) { return row.row->moe; }, {0, 1}));
        set(engine.first_spread,
            ServingEngine{}.first_spread,
            spread([i](const Row& row) { return row.engine == i; }, {2}));
    }
}

// How often measurements lie in intervals whose source neither the fit nor the spreads had seen.
void print_coverage(const Constants& fitted, const std::vector<Unseen>& unseen) {
    constexpr std::array<std::string_view, 3> names{"tokens a second", "TPOT", "TTFT"};
    std::array<std::array<double, 3>, 3> inside{};  // dense, with experts, all
    std::array<std::array<double, 3>, 3> rows{};
    std::array<std::array<double, 3>, 3> errors{};
    Constants constants = fitted;
    std::string source;
    for (const Unseen& one : unseen) {
        if (one.row.row->source != source) {
            source = one.row.row->source;
            set_spreads(constants, unseen, source);
        }
        const InferenceRow& row = *one.row.row;
        const weir::plan::ServingModel model(row.job,
                                             row.machine,
                                             constants.chips[one.row.chip],
                                             constants.links[one.row.link],
                                             weir::plan::serving_link("any"));
        const auto p = model.predict(row.plan, constants.engines[one.row.engine]);
        for (std::size_t m = 0; m < names.size(); ++m) {
            if (one.errors[m] == 0) continue;
            const double spread = m == 2 ? p.first_spread : p.spread;
            for (const std::size_t group :
                 {row.moe ? std::size_t{1} : std::size_t{0}, std::size_t{2}}) {
                rows[group][m] += 1;
                inside[group][m] += std::abs(one.errors[m]) <= 1.645 * spread ? 1 : 0;
                errors[group][m] += std::abs(std::exp(one.errors[m]) - 1);
            }
        }
    }
    constexpr std::array<std::string_view, 3> groups{"dense", "with experts", "all"};
    for (std::size_t group = 0; group < groups.size(); ++group) {
        for (std::size_t m = 0; m < names.size(); ++m) {
            fmt::print(stderr,
                       "source unseen, {:<12} {:<16} {:>5.0f} rows, mean error {:5.1f} %, in the "
                       "interval {:5.1f} %\n",
                       groups[group],
                       names[m],
                       rows[group][m],
                       100 * errors[group][m] / rows[group][m],
                       100 * inside[group][m] / rows[group][m]);
        }
    }
}

struct Errors {
    double sum[3] = {0, 0, 0};
    double bias[3] = {0, 0, 0};
    std::size_t rows[3] = {0, 0, 0};
};

void print_errors(const std::vector<Row>& rows, const Constants& constants, bool each) {
    std::map<std::string, Errors> groups;
    for (const Row& one : rows) {
        const InferenceRow& row = *one.row;
        const weir::plan::ServingModel model(row.job,
                                             row.machine,
                                             constants.chips[one.chip],
                                             constants.links[one.link],
                                             weir::plan::serving_link("any"));
        const auto p = model.predict(row.plan, constants.engines[one.engine]);
        const double measured[] = {row.output_tok_s, row.tpot_s, row.ttft_s};
        const double predicted[] = {weir::bench::throughput_of(row, p), p.tpot_s, p.ttft_s};
        if (each) {
            fmt::print(stderr,
                       "{}{} {} {} {} isl {} osl {} b {}/{:.0f}",
                       row.doubtful ? "doubtful: " : "",
                       row.id,
                       row.job.model.name,
                       row.chip,
                       weir::plan::text_of(row.plan),
                       row.job.isl,
                       row.job.osl,
                       row.plan.batch,
                       p.batch);
            for (int m = 0; m < 3; ++m) {
                if (measured[m] > 0)
                    fmt::print(stderr,
                               " | {:.4g} {:.4g} {:+.0f}%",
                               measured[m] * (m > 0 ? 1e3 : 1),
                               predicted[m] * (m > 0 ? 1e3 : 1),
                               100 * (predicted[m] / measured[m] - 1));
            }
            fmt::print(stderr, " |");
            for (std::size_t t = 0; t < p.term_s.size(); ++t) {
                fmt::print(
                    stderr,
                    " {} {:.2f}",
                    weir::plan::name_of(static_cast<weir::plan::ServingTerm>(t)).substr(0, 4),
                    p.term_s[t] * 1e3);
            }
            fmt::print(stderr, "\n");
        }
        for (const std::string& group :
             {row.doubtful ? std::string("doubtful") : std::string("all but doubtful"),
              row.group,
              row.chip + " " + row.precision,
              row.group + " " + row.chip + " " + row.engine + " " + row.job.model.name + " " +
                  row.precision,
              std::string("all")}) {
            Errors& e = groups[group];
            for (int m = 0; m < 3; ++m) {
                if (measured[m] <= 0) continue;
                ++e.rows[m];
                e.sum[m] += std::abs(predicted[m] / measured[m] - 1);
                e.bias[m] += predicted[m] / measured[m] - 1;
            }
        }
    }
    for (const auto& [group, e] : groups) {
        fmt::print(stderr, "{:<60} {:>5}", group, e.rows[0]);
        for (int m = 0; m < 3; ++m) {
            const double n = static_cast<double>(std::max<std::size_t>(e.rows[m], 1));
            fmt::print(stderr, "  {:6.1f} % ({:+6.1f})", 100 * e.sum[m] / n, 100 * e.bias[m] / n);
        }
        fmt::print(stderr, "\n");
    }
}

template <class Record>
void print_records(std::string_view family,
                   std::span<const weir::plan::ServingConstant<Record>> constants,
                   const std::vector<Kind>& kinds,
                   const std::vector<Record>& records,
                   const Record& any,
                   const std::vector<std::size_t>& counts) {
    fmt::print("{}:\n  - names: any\n    source: \"the middle of the entries below\"\n", family);
    const Record start;
    // What the rows said nothing about is not told as if they had.
    const auto known = [&](const Record& record, const auto& constant) {
        const double value = record.*constant.member;
        return is_policy(constant.name) ||
               std::abs(value - any.*constant.member) > 2e-3 * any.*constant.member;
    };
    for (const auto& constant : constants) {
        double value = any.*constant.member;
        // Policies are no measurements, and what nobody measured is less certain.
        if (is_policy(constant.name)) value = start.*constant.member;
        fmt::print("    {}: {:.5g}\n", constant.name, value);
    }
    for (std::size_t i = 0; i < records.size(); ++i) {
        if (counts[i] == 0) continue;
        fmt::print("  - names: [");
        for (std::size_t m = 0; m < kinds[i].members.size(); ++m)
            fmt::print("{}{}", m > 0 ? ", " : "", kinds[i].members[m]);
        fmt::print("]\n    source: \"{}\"\n", records[i].source);
        for (const auto& constant : constants) {
            // An engine says all: what it is not slower in, it is not by `any` either.
            if (family == "engines" || known(records[i], constant))
                fmt::print("    {}: {:.5g}\n", constant.name, records[i].*constant.member);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::string folder;
    std::string without;
    int steps = 40;
    bool each = false;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--without") == 0 && i + 1 < argc)
            without = argv[++i];
        else if (std::strcmp(argv[i], "--steps") == 0 && i + 1 < argc)
            steps = std::atoi(argv[++i]);
        else if (std::strcmp(argv[i], "--rows") == 0)
            each = true;
        else
            folder = argv[i];
    }
    if (folder.empty()) {
        fmt::print(stderr, "usage: plan_fit_serving DIR [--without SOURCE] [--steps N] [--rows]\n");
        return 2;
    }
    const auto read = weir::bench::read_inference(folder + "/inference.csv");
    if (!read) {
        fmt::print(stderr, "plan_fit_serving: {}\n", read.error().message);
        return 1;
    }
    const std::vector<Kind>& engines = engine_kinds();
    Constants constants = constants_at_start();

    std::vector<Row> rows;
    std::vector<Row> left_out;
    std::vector<Row> all;
    std::map<std::string, double> count;
    for (const InferenceRow& row : *read)
        count[row.source] += 1;
    for (const InferenceRow& row : *read) {
        const Row one{&row,
                      kind_of(chip_kinds(), row.machine.chip_name),
                      kind_of(link_kinds(), row.machine.inside.kind),
                      kind_of(engines, row.engine),
                      1 / std::sqrt(count[row.source])};
        const bool out =
            !without.empty() && (row.group == without || row.chip == without ||
                                 row.engine == without || row.job.model.name == without);
        all.push_back(one);
        if (!out && row.doubtful) continue;
        (out ? left_out : rows).push_back(one);
    }
    const double total = fit(rows, constants, steps);
    fmt::print(stderr, "loss {:.4f} over {} rows\n", total, rows.size());
    print_errors(without.empty() ? all : left_out, constants, each);
    if (!without.empty()) return 0;
    const std::vector<Unseen> unseen = unseen_of(rows, constants, 12);
    set_spreads(constants, unseen, "");
    print_coverage(constants, unseen);
    std::vector<std::size_t> chips(constants.chips.size());
    std::vector<std::size_t> links(constants.links.size());
    std::vector<std::size_t> used(constants.engines.size());
    for (const Row& one : rows) {
        ++chips[one.chip];
        if (one.row->plan.chips() > 1) ++links[one.link];
        ++used[one.engine];
    }
    const auto name_sources = [](auto& records, const std::vector<std::size_t>& counts) {
        for (std::size_t i = 0; i < records.size(); ++i)
            records[i].source = fmt::format("{} published measurements", counts[i]);
    };
    name_sources(constants.chips, chips);
    name_sources(constants.links, links);
    name_sources(constants.engines, used);
    fmt::print(
        "# What measured serving teaches beyond datasheets: see weir/plan/serving_calibration.hpp"
        " for each constant.\n# The entry `any` comes first: it stands for what has no entry, and"
        " gives what an entry does not say.\n# Found by plan_fit_serving on published"
        " measurements of TensorRT-LLM, vLLM, SGLang, LMDeploy and FasterTransformer.\n");
    print_records("chips",
                  weir::plan::serving_chip_constants(),
                  chip_kinds(),
                  constants.chips,
                  constants.any_chip,
                  chips);
    print_records("links",
                  weir::plan::serving_link_constants(),
                  link_kinds(),
                  constants.links,
                  constants.any_link,
                  links);
    print_records("engines",
                  weir::plan::serving_engine_constants(),
                  engines,
                  constants.engines,
                  constants.any_engine,
                  used);
    return 0;
}
