// The settings of a torchtitan job as a plan. Defaults are those of its JobConfig.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "weir/plan/launch_read.hpp"
#include "weir/plan/torchtitan_flavors.hpp"
#include "weir/plan/torchtitan_pipeline.hpp"

namespace weir::plan {
namespace {

void read_flavor(Reader& reader) {
    std::string model = reader.word("model.name").value_or("llama3");
    std::string flavor = reader.word("model.flavor").value_or("debugmodel");
    // The main branch of 2026: --module qwen3 --config qwen3_30b_a3b, a function in Python.
    const auto module = reader.word("module");
    const auto config = reader.word("config");
    if (module) model = *module;
    if (config) {
        flavor = *config;
        if (flavor.rfind(model + "_", 0) == 0) flavor.erase(0, model.size() + 1);
        for (char& c : flavor) {
            if (c == '_')
                c = '-';
            else if (c >= 'a' && c <= 'z')
                c = static_cast<char>(c - 'a' + 'A');
        }
        reader.assume(
            fmt::format("settings of {} are not known: defaults stand for them", *config));
    }
    if (const TitanFlavor* known = find_titan_flavor(model, flavor)) {
        reader.out.launch.job.model = model_of(*known);
        return;
    }
    if (reader.hints().model) {
        reader.out.launch.job.model = *reader.hints().model;
        reader.assume(fmt::format("{} {} is {}", model, flavor, reader.hints().model->name));
        return;
    }
    std::string list;
    for (const TitanFlavor& one : titan_flavors())
        list += fmt::format("{}{} {}", list.empty() ? "" : ", ", one.model, one.flavor);
    reader.refuse(fmt::format(
        "model.name {}, model.flavor {}: the shape is known of {}", model, flavor, list));
}

void read_data_parallelism(Reader& reader, const Started& started) {
    Strategy& s = reader.out.launch.strategy;
    const std::uint32_t copies =
        reader.number("parallelism.data_parallel_replicate_degree").value_or(1);
    const auto shard = reader.word("parallelism.data_parallel_shard_degree");
    const auto reshard =
        reader.choice("parallelism.fsdp_reshard_after_forward", {"default", "always", "never"});
    const double inner = static_cast<double>(s.tp) * s.pp * s.cp * copies;
    std::uint64_t over = 0;
    if (shard && *shard != "-1") {
        over = reader.number("parallelism.data_parallel_shard_degree").value_or(1);
        Started said = started;
        said.chips = static_cast<std::uint64_t>(std::min(inner * static_cast<double>(over), 1e18));
        if (reader.hints().chips > 0 && reader.hints().chips != said.chips) {
            reader.refuse(fmt::format(
                "its degrees make {} chips, and there are {}", said.chips, reader.hints().chips));
            return;
        }
        reader.settle_chips(said);
    } else {
        reader.settle_chips(started);
        if (!reader.good()) return;
        if (std::fmod(static_cast<double>(reader.out.chips), inner) != 0) {
            reader.refuse(
                fmt::format("{} chips: copies {} x tp {} x pp {} x cp {} must divide them",
                            reader.out.chips,
                            copies,
                            s.tp,
                            s.pp,
                            s.cp));
            return;
        }
        over = static_cast<std::uint64_t>(static_cast<double>(reader.out.chips) / inner);
        reader.assume(fmt::format(
            "parallelism.data_parallel_shard_degree {}: all chips that are left", over));
    }
    reader.settle_data_parallelism();
    if (!reader.good()) return;
    if (over == 1 && s.cp == 1) {
        s.zero = 0;
        return;
    }
    if (copies > 1) s.zero_group = static_cast<std::uint32_t>(over);
    // By default a pipeline keeps the weights between its micro-batches.
    const bool keeps = reshard == "never" || (reshard != "always" && s.pp > 1);
    if (!reshard || *reshard == "default")
        reader.assume(fmt::format("parallelism.fsdp_reshard_after_forward {}: the default",
                                  keeps ? "never" : "always"));
    s.zero = keeps ? 2 : 3;
}

void read_pipeline(Reader& reader) {
    Strategy& s = reader.out.launch.strategy;
    const std::string name = reader.word("parallelism.pipeline_parallel_schedule").value_or("1F1B");
    TitanPipeline settings;
    settings.layers_per_stage =
        reader.number("parallelism.pipeline_parallel_layers_per_stage").value_or(0);
    settings.first_less =
        reader.number("parallelism.pipeline_parallel_first_stage_less_layers", 0).value_or(1);
    settings.last_less =
        reader.number("parallelism.pipeline_parallel_last_stage_less_layers", 0).value_or(1);
    if (s.pp == 1 || !reader.good()) return;
    const TitanSchedule* schedule = find_titan_schedule(name);
    if (schedule == nullptr) {
        reader.refuse(
            fmt::format("parallelism.pipeline_parallel_schedule {}: must be 1F1B, Interleaved1F1B, "
                        "InterleavedZeroBubble, ZBVZeroBubble, DualPipeV, GPipe or LoopedBFS",
                        name));
        return;
    }
    if (name == "GPipe" || name == "LoopedBFS" || name == "ZBVZeroBubble")
        reader.not_modelled(fmt::format("parallelism.pipeline_parallel_schedule {}: taken as {}",
                                        name,
                                        name_of(schedule->schedule)));
    const auto per_rank =
        titan_stages_per_rank(reader.out.launch.job.model.layers, s.pp, *schedule, settings);
    if (!per_rank) {
        reader.refuse(per_rank.error().message);
        return;
    }
    s.schedule = schedule->schedule;
    s.vpp = s.schedule == Schedule::dualpipe ? 1 : *per_rank;
}

void read_recompute(Reader& reader) {
    Launch& launch = reader.out.launch;
    Strategy& s = launch.strategy;
    const auto mode =
        reader.choice("activation_checkpoint.mode", {"selective", "full", "none", "memory_budget"});
    const auto option = reader.word("activation_checkpoint.selective_ac_option");
    if (!mode) reader.assume("activation_checkpoint.mode selective: the default");
    if (mode == "none") return;
    if (mode == "full") {
        s.recompute = Recompute::full;
        return;
    }
    if (mode == "memory_budget") {
        reader.not_modelled(
            "activation_checkpoint.mode memory_budget: taken as selective by operation");
    } else if (option.value_or("2") != "op") {
        // "2": every second layer as a whole.
        std::uint32_t every = 0;
        const std::string text = option.value_or("2");
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), every);
        if (error != std::errc() || end != text.data() + text.size() || every == 0) {
            reader.refuse(fmt::format(
                "activation_checkpoint.selective_ac_option {}: must be op or a number", text));
            return;
        }
        if (!option) reader.assume("activation_checkpoint.selective_ac_option 2: the default");
        const std::uint32_t layers = (launch.job.model.layers + s.pp - 1) / s.pp;
        s.recompute = Recompute::full;
        s.recompute_layers = every == 1 ? 0 : std::max<std::uint32_t>(layers / every, 1);
        if (every == 1) return;
        if (layers % every != 0)
            reader.assume(fmt::format(
                "{} of {} layers of a stage are recomputed", s.recompute_layers, layers));
        return;
    }
    s.recompute = Recompute::selective;
    s.parts.norms = s.parts.activation = s.parts.every_other_product = true;
}

void read_precision(Reader& reader) {
    Strategy& s = reader.out.launch.strategy;
    const auto param = reader.choice("training.mixed_precision_param", {"bfloat16", "float32"});
    if (!param) reader.assume("training.mixed_precision_param bfloat16: the default");
    s.precision = param == "float32" ? Precision::fp32 : Precision::bf16;
    static_cast<void>(reader.word("training.mixed_precision_reduce"));
    for (const std::string& converter : reader.list("model.converters")) {
        if (converter.find("float8") != std::string::npos)
            s.precision = Precision::fp8;
        else if (converter.find(".mx") != std::string::npos || converter == "mx")
            s.precision = Precision::mxfp8;
        else
            reader.out.not_understood.push_back(fmt::format("model.converters {}", converter));
    }
    // How: of no weight where none of them is on.
    for (const std::string_view key :
         {"quantize.linear.float8.enable_fsdp_float8_all_gather",
          "quantize.linear.float8.precompute_float8_dynamic_scale_for_fsdp",
          "quantize.linear.float8.recipe_name",
          "quantize.linear.float8.filter_fqns",
          "quantize.linear.mx.recipe_name",
          "quantize.linear.mx.filter_fqns",
          "quantize.grouped_mm.float8.fqns",
          "quantize.grouped_mm.mx.fqns",
          "quantize.grouped_mm.mx.recipe_name"}) {
        static_cast<void>(reader.list(key));
    }
}

void read_batch(Reader& reader) {
    Launch& launch = reader.out.launch;
    Strategy& s = launch.strategy;
    const std::uint32_t local = reader.number_or("training.local_batch_size", 8, "the default");
    const std::uint32_t micro =
        reader.number("parallelism.pipeline_parallel_microbatch_size").value_or(1);
    std::uint64_t global = std::uint64_t{local} * s.dp;
    const auto said = reader.word("training.global_batch_size");
    if (said && *said != "-1") {
        global = reader.number("training.global_batch_size").value_or(1);
    } else {
        reader.assume(
            fmt::format("training.global_batch_size {}: the default, one batch each", global));
    }
    if (!reader.good()) return;
    if (global > 100'000'000 || global % (std::uint64_t{local} * s.dp) != 0) {
        reader.refuse(
            fmt::format("training.global_batch_size {}: must be a multiple of "
                        "training.local_batch_size {} x data parallelism {}",
                        global,
                        local,
                        s.dp));
        return;
    }
    launch.job.global_batch = static_cast<std::uint32_t>(global);
    s.micro_batch = s.pp > 1 ? micro : local;
    if (s.pp > 1 && local % micro != 0)
        reader.refuse(
            fmt::format("parallelism.pipeline_parallel_microbatch_size {}: must divide "
                        "training.local_batch_size {}",
                        micro,
                        local));
    if (s.pp > 1 && global / (std::uint64_t{local} * s.dp) > 1)
        reader.not_modelled(fmt::format("the pipeline runs empty {} times in a step",
                                        global / (std::uint64_t{local} * s.dp)));
}

}  // namespace

void read_torchtitan(Reader& reader, const Started& started) {
    Launch& launch = reader.out.launch;
    Strategy& s = launch.strategy;
    read_flavor(reader);
    s.tp = reader.number("parallelism.tensor_parallel_degree").value_or(1);
    s.pp = reader.number("parallelism.pipeline_parallel_degree").value_or(1);
    s.cp = reader.number("parallelism.context_parallel_degree").value_or(1);
    s.ep = reader.number("parallelism.expert_parallel_degree").value_or(1);
    const std::uint32_t etp =
        reader.number("parallelism.expert_tensor_parallel_degree").value_or(1);
    if (etp != 1 && etp != s.tp)
        reader.refuse(fmt::format(
            "parallelism.expert_tensor_parallel_degree {}: must be 1 or tp {}", etp, s.tp));
    if (s.tp > 1) s.etp = etp == s.tp ? 0 : 1;
    static_cast<void>(reader.word("parallelism.context_parallel_rotate_method"));
    static_cast<void>(reader.word("parallelism.pipeline_parallel_expert_parallel_overlap"));
    s.overlap.tensor = reader.word("parallelism.enable_async_tensor_parallel") == "true";
    const bool compiled = reader.word("compile.enable") == "true";
    if (s.overlap.tensor && !compiled) {
        reader.assume(
            "parallelism.enable_async_tensor_parallel has no effect without compile.enable");
        s.overlap.tensor = false;
    }
    if (!compiled) reader.not_modelled("compile.enable false: kernels are assumed to be fused");
    if (!reader.good()) return;
    read_data_parallelism(reader, started);
    read_pipeline(reader);
    read_recompute(reader);
    read_precision(reader);
    s.offload_optimizer = reader.word("training.enable_cpu_offload") == "true";
    launch.job.sequence = reader.number_or("training.seq_len", 2048, "the default");
    read_batch(reader);
    if (const auto steps = reader.amount("training.steps"))
        launch.job.tokens = *steps * launch.job.global_batch * launch.job.sequence;
}

}  // namespace weir::plan
