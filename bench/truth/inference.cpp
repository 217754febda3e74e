#include "bench/truth/inference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "weir/catalog/catalog.hpp"
#include "weir/sim/csv.hpp"

#include "bench/truth/inference_launch.hpp"
#include "bench/truth/record.hpp"

namespace weir::bench {
namespace {

using plan::Engine;
using plan::Numbers;
using plan::Traffic;

catalog::Model model_of(const Record& row) {
    catalog::Model model;
    model.name = std::string(row.text("model"));
    model.layers = row.count("layers");
    model.hidden = row.count("hidden");
    model.heads = row.count("heads");
    model.kv_heads = row.count("kv_heads", model.heads);
    model.head_dim = row.count("head_dim");
    model.ffn = row.count("ffn");
    model.vocab = row.count("vocab");
    const bool gpt = has(model.name, "gpt") && !has(model.name, "oss");
    model.gated = !gpt;
    model.tied = gpt;
    if (has(row.text("arch"), "moe")) {
        catalog::Experts experts;
        experts.count = row.count("experts");
        experts.per_token = row.count("topk");
        experts.ffn = row.count("moe_ffn");
        model.experts = experts;
    }
    if (has(row.text("arch"), "mla")) {
        // The two such models of the table; from their config.json.
        model.latent = catalog::LatentAttention{1536, 512, 64, 128, 128};
        model.experts->shared_ffn = model.experts->ffn;
        model.experts->first_dense = has(model.name, "kimi") ? 1 : 3;
    }
    if (has(model.name, "gpt-oss")) {
        // sliding_window 128 in every second layer (config.json).
        model.window = 128;
        model.window_every = 2;
    }
    return model;
}

Engine engine_of(std::string_view text) {
    if (has(text, "vllm") || has(text, "vLLM")) return Engine::vllm;
    if (has(text, "sglang")) return Engine::sglang;
    if (has(text, "lmdeploy")) return Engine::lmdeploy;
    if (has(text, "FasterTransformer")) return Engine::faster_transformer;
    return Engine::tensorrt_llm;
}

Numbers numbers_of(std::string_view text) {
    if (has(text, "nvfp4")) return Numbers::nvfp4;
    if (has(text, "fp8")) return Numbers::fp8;
    if (has(text, "int4")) return Numbers::int4;
    if (has(text, "int8")) return Numbers::int8;
    if (has(text, "fp16")) return Numbers::fp16;
    return Numbers::bf16;  // not said: as the model is published
}

// What rows of aiconfigurator do not say: TensorRT-LLM keeps FP8 keys and values for quantised
// checkpoints (their kv_cache_quant_algo); vLLM and SGLang keep 16 bits ("auto") unless told, as
// the recipes for Blackwell do.
Numbers cache_of(const Record& row, Engine engine, Numbers weights) {
    const std::string_view said = row.text("act_kv_prec");
    if (has(said, "fp8 kv")) return Numbers::fp8;
    if (has(said, "/fp16")) return Numbers::fp16;
    const bool quantised = plan::bytes_of(weights) < 2;
    const bool blackwell = has(row.text("chip"), "B200") || has(row.text("chip"), "B300");
    if (quantised && (engine == Engine::tensorrt_llm || blackwell)) return Numbers::fp8;
    return Numbers::bf16;
}

plan::ServingPlan plan_of(const Record& row, const catalog::Model& model) {
    plan::ServingPlan plan;
    plan.degrees = {
        row.count("tp", 1), row.count("pp", 1), row.count("ep", 1), row.count("attn_dp", 1)};
    if (model.heads % plan.degrees.tp != 0) {
        // A tensor degree that does not divide the heads counts chips: wide expert parallelism
        // with attention on each of them.
        plan.degrees = {1, 1, plan.degrees.tp, plan.degrees.tp};
    }
    plan.engine = engine_of(row.text("engine"));
    plan.weights = numbers_of(row.text("weight_prec"));
    // gpt-oss is published in MXFP4, whatever a table calls it.
    if (has(model.name, "gpt-oss") && plan.weights == Numbers::nvfp4) plan.weights = Numbers::mxfp4;
    plan.cache = cache_of(row, plan.engine, plan.weights);
    const std::string_view mode = row.text("mode");
    plan.traffic = has(mode, "offline") || has(mode, "open loop") ? Traffic::queue
                   : has(mode, "static")                          ? Traffic::batches
                                                                  : Traffic::clients;
    plan.batch = row.count("batch_or_concurrency");
    const auto after = [&](std::string_view word, std::uint32_t& value) {
        const std::string_view text = row.text("batch_or_concurrency");
        const auto place = text.find(word);
        if (place == std::string_view::npos) return;
        std::from_chars(text.data() + place + word.size(), text.data() + text.size(), value);
    };
    after("max_num_seqs ", plan.batch);
    after("max_num_batched_tokens ", plan.start.prompt_tokens_max);
    return plan;
}

Result<plan::Machine> machine_of(const Record& row) {
    const std::string_view name = row.text("chip");
    const catalog::Catalog& known = catalog::Catalog::built_in();
    const std::pair<std::string_view, std::string_view> names[] = {{"GB300", "gb300"},
                                                                   {"GB200", "gb200"},
                                                                   {"B200", "b200"},
                                                                   {"H200", "h200"},
                                                                   {"H100-SXM", "h100-sxm-80g"},
                                                                   {"A100-SXM", "a100-sxm-80g"},
                                                                   {"RTX6000", "rtx-pro-6000"},
                                                                   {"RTX4090", "rtx-4090"}};
    catalog::ChipRecord chip;
    chip.name = catalog::small_letters(name);
    for (const auto& [word, entry] : names) {
        if (!has(name, word)) continue;
        if (const catalog::ChipRecord* found = known.find(entry)) chip = *found;
        chip.name = entry;
        break;
    }
    if (chip.rate("", "memory") == nullptr) {
        // Only what its row says of it: a chip by its datasheet. Such chips double the rate with
        // each halving of the format, down to what their generation has.
        chip.memory = gibibytes(static_cast<std::int64_t>(row.number("chip_mem_gb", 80)));
        const double bf16 = row.number("chip_peak_bf16_tflops", 300) * 1e12;
        const auto add = [&](std::string_view op, std::string_view format, double value) {
            catalog::Rate rate;
            rate.op = op;
            rate.format = format;
            rate.value = value;
            rate.basis = catalog::Basis::vendor_peak;
            chip.rates.push_back(rate);
        };
        add("gemm", "bf16", bf16);
        add("gemm", "fp16", bf16);
        add("gemm", "fp8", 2 * bf16);
        if (has(name, "RTX6000")) add("gemm", "fp4", 4 * bf16);
        // RTX 4090: 1008 GB/s, of which its rows say nothing.
        add("memory", "", row.number("hbm_GBps", 1008) * 1e9);
    }
    plan::MachineOptions options;
    options.chips_per_node = row.count("chips_per_node", 0);
    const std::string link = catalog::small_letters(row.text("intra_link"));
    if (has(link, "nvl72")) {
        options.inside_kind = "nvl72";
        options.chips_per_node = 72;
    } else if (has(link, "pcie")) {
        options.inside_kind = "pcie";
        options.inside_bytes_per_s = has(link, "pcie5") ? 64e9 : 32e9;
    } else {
        options.inside_kind = link;
    }
    return plan::machine_of(chip, options);
}

// Faster than the chip's peak: prompts that a prefix cache already knew, or a slip of the table. In
// the time of its tokens a request must at least wait for the weights and its batch's cache to be
// read at the full bandwidth, and for the prompts of the others at 0.8 of the peak.
bool impossible(const InferenceRow& row) {
    if (row.tpot_s <= 0 || row.plan.traffic != plan::Traffic::clients) return false;
    const auto& model = row.job.model;
    if (model.latent) return false;
    const double attention = static_cast<double>(model.heads + model.kv_heads) * model.head_dim * 2;
    const double ffn = model.experts ? 3.0 * model.experts->ffn * model.experts->per_token
                                     : (model.gated ? 3.0 : 2.0) * model.ffn;
    const double used = model.layers * static_cast<double>(model.hidden) * (attention + ffn);
    double peak = row.machine.peak(plan::Precision::bf16);
    if (plan::bytes_of(row.plan.weights) == 1)
        peak = std::max(peak, row.machine.peak(plan::Precision::fp8));
    if (row.plan.weights == Numbers::nvfp4 || row.plan.weights == Numbers::mxfp4)
        peak = std::max(peak, row.machine.peak_fp4_flops);
    const auto chips = static_cast<double>(row.plan.chips());
    const double cache = 2.0 * model.layers * model.kv_heads * model.head_dim *
                         plan::bytes_of(row.plan.cache) * row.plan.batch * row.job.isl;
    const double read_s =
        (used * plan::bytes_of(row.plan.weights) + (model.window > 0 ? 0.5 : 1.0) * cache) /
        (chips * row.machine.memory_bytes_per_s);
    const double fresh = row.job.isl * (1 - row.job.cached_share);
    const double prompts_s = (row.plan.batch - 1) * fresh * 2 * used / (0.8 * peak * chips);
    return (row.tpot_s - read_s) * row.job.osl < 0.9 * prompts_s;
}

// Of one source (a model on a chip with an engine) and of one sweep of it (all but the load alike).
std::string source_of(const InferenceRow& row) {
    return fmt::format(
        "{} {} {} {} {}", row.group, row.chip, row.engine, row.job.model.name, row.precision);
}
std::string sweep_of(const InferenceRow& row) {
    auto same = row.plan;
    same.batch = 0;
    return fmt::format(
        "{}: {}, {} in, {} out", source_of(row), plan::text_of(same), row.job.isl, row.job.osl);
}

// What no fit should learn from: sources of which more than a fifth is impossible, and sweeps in
// which more load made a token a quarter faster.
std::set<std::string> doubtful_names(const std::vector<InferenceRow>& rows) {
    std::map<std::string, std::pair<double, double>> share;
    std::map<std::string, std::map<std::uint32_t, double>> sweeps;
    for (const InferenceRow& row : rows) {
        auto& [bad, all] = share[source_of(row)];
        bad += impossible(row) ? 1 : 0;
        all += 1;
        if (row.tpot_s > 0 && row.plan.traffic == plan::Traffic::clients) {
            double& slowest = sweeps[sweep_of(row)][row.plan.batch];
            slowest = std::max(slowest, row.tpot_s);
        }
    }
    std::set<std::string> names;
    for (const auto& [source, counts] : share) {
        if (counts.first > 0.2 * counts.second) names.insert(source);
    }
    for (const auto& [sweep, times] : sweeps) {
        double slowest = 0;
        for (const auto& [batch, time] : times) {
            if (time < 0.75 * slowest) names.insert(sweep);
            slowest = std::max(slowest, time);
        }
    }
    return names;
}

struct Predicted {
    const InferenceRow* row = nullptr;
    double measured = 0;
    double predicted = 0;
    double spread = 0;
};

std::vector<double> ranks_of(const std::vector<double>& values) {
    std::vector<std::size_t> order(values.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return values[a] < values[b];
    });
    std::vector<double> ranks(values.size());
    for (std::size_t first = 0; first < order.size();) {
        std::size_t last = first;
        while (last < order.size() && values[order[last]] == values[order[first]])
            ++last;
        for (std::size_t i = first; i < last; ++i)
            ranks[order[i]] = static_cast<double>(first + last - 1) / 2;
        first = last;
    }
    return ranks;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
    const double n = static_cast<double>(a.size());
    double mean_a = 0;
    double mean_b = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        mean_a += a[i] / n;
        mean_b += b[i] / n;
    }
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        ab += (a[i] - mean_a) * (b[i] - mean_b);
        aa += (a[i] - mean_a) * (a[i] - mean_a);
        bb += (b[i] - mean_b) * (b[i] - mean_b);
    }
    return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 1;
}

InferenceScore score_of(std::string group, std::string metric, const std::vector<Predicted>& rows) {
    InferenceScore score;
    score.group = std::move(group);
    score.metric = std::move(metric);
    score.rows = rows.size();
    std::vector<double> errors;
    std::vector<double> measured;
    std::vector<double> predicted;
    const double n = static_cast<double>(rows.size());
    for (const Predicted& one : rows) {
        const double error = one.predicted / one.measured - 1;
        errors.push_back(std::abs(error));
        measured.push_back(one.measured);
        predicted.push_back(one.predicted);
        score.mape += std::abs(error) / n;
        score.bias += error / n;
        constexpr double z_90 = 1.645;
        if (std::abs(std::log(one.predicted / one.measured)) <= z_90 * one.spread)
            score.coverage += 1 / n;
        if (std::abs(error) > score.worst_ape) {
            score.worst_ape = std::abs(error);
            score.worst_id = one.row->id;
        }
    }
    std::sort(errors.begin(), errors.end());
    score.median_ape = (errors[(errors.size() - 1) / 2] + errors[errors.size() / 2]) / 2;
    score.spearman = correlation(ranks_of(measured), ranks_of(predicted));
    return score;
}

}  // namespace

Result<std::vector<InferenceRow>> read_inference(const std::string& path) {
    WEIR_TRY(auto lines, sim::LineReader::open(path));
    sim::CsvReader csv(lines);
    std::vector<std::string_view> fields;
    std::unordered_map<std::string, std::size_t> columns;
    std::vector<InferenceRow> rows;
    while (true) {
        WEIR_TRY(const bool more, csv.next(fields));
        if (!more) break;
        if (columns.empty()) {
            for (std::size_t i = 0; i < fields.size(); ++i)
                columns.emplace(std::string(fields[i]), i);
            continue;
        }
        const Record record(columns, fields);
        if (record.text("verified") != "yes" || record.text("config_complete") != "y") continue;
        InferenceRow row;
        row.id = std::string(record.text("id"));
        row.group = row.id.substr(0, row.id.find('-'));
        row.chip = std::string(record.text("chip"));
        row.job.model = model_of(record);
        row.moe = row.job.model.is_moe();
        row.job.isl = record.number("isl");
        row.job.osl = record.number("osl");
        row.plan = plan_of(record, row.job.model);
        // Benchmarks of a closed loop send about ten requests for each client.
        if (row.plan.traffic == Traffic::clients) row.job.rounds = 10;
        row.precision = std::string(plan::name_of(row.plan.weights));
        row.engine = std::string(plan::name_of(row.plan.engine));
        auto machine = machine_of(record);
        if (!machine) return fail(machine.error().at(fmt::format("{}: {}", csv.here(), row.id)));
        row.machine = *machine;
        row.output_tok_s = record.number("output_tok_s");
        row.ttft_s = record.number("ttft_ms") / 1e3;
        row.tpot_s = record.number("tpot_ms") / 1e3;
        row.source = source_of(row);
        if (has(record.text("notes"), "derived = concurrency*OSL")) {
            row.nominal_osl = row.job.osl;
            row.clients = row.plan.batch;
        }
        apply_launch(record, row);
        rows.push_back(std::move(row));
    }
    const std::set<std::string> doubts = doubtful_names(rows);
    for (InferenceRow& row : rows) {
        row.doubtful = row.doubtful || doubts.count(row.source) > 0 ||
                       doubts.count(sweep_of(row)) > 0 || impossible(row);
    }
    return rows;
}

double throughput_of(const InferenceRow& row, const plan::ServingPrediction& prediction) {
    if (row.nominal_osl <= 0) return prediction.output_tokens_per_s;
    return row.clients * row.nominal_osl /
           (prediction.ttft_s + prediction.tpot_s * (row.nominal_osl - 1));
}

std::vector<InferenceScore> inference_scores(const std::vector<InferenceRow>& rows) {
    using Groups = std::map<std::string, std::vector<Predicted>>;
    const std::vector<std::string> metrics{"throughput", "tpot", "ttft"};
    std::vector<Groups> by_metric(metrics.size());
    for (const InferenceRow& row : rows) {
        const plan::ServingModel model(row.job, row.machine);
        const plan::ServingPrediction p = model.predict(row.plan);
        const double measured[] = {row.output_tok_s, row.tpot_s, row.ttft_s};
        const double predicted[] = {throughput_of(row, p), p.tpot_s, p.ttft_s};
        std::vector<std::string> groups{"1 " + row.group,
                                        "2 " + row.chip,
                                        "3 " + row.chip + " " + row.precision,
                                        "4 " + row.engine,
                                        row.moe ? "5 moe" : "5 dense",
                                        "6 all"};
        if (!row.doubtful) groups.emplace_back("7 all but doubtful");
        for (std::size_t m = 0; m < metrics.size(); ++m) {
            if (measured[m] <= 0) continue;
            // How long the first token of a queue takes depends on how many are queued, which rows
            // do not say.
            const bool first = metrics[m] == "ttft";
            if (first && row.plan.traffic == Traffic::queue) continue;
            for (const std::string& group : groups) {
                by_metric[m][group].push_back(
                    {&row, measured[m], predicted[m], first ? p.first_spread : p.spread});
            }
        }
    }
    std::vector<InferenceScore> scores;
    for (std::size_t m = 0; m < metrics.size(); ++m) {
        for (const auto& [group, predicted] : by_metric[m])
            scores.push_back(score_of(group.substr(2), metrics[m], predicted));
    }
    return scores;
}

Result<std::vector<InferenceScore>> inference_report(const std::string& folder) {
    WEIR_TRY(const auto rows, read_inference(folder + "/inference.csv"));
    return inference_scores(rows);
}

}  // namespace weir::bench
