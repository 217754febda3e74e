#include "weir/plan/launch_emit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "weir/plan/launch_options.hpp"

namespace weir::plan {
namespace {

std::uint32_t chips_per_node(const Launch& launch) {
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(launch.chips_per_node, launch.strategy.chips()));
}

std::string title(const Launch& launch, Framework framework) {
    const OptionList& list = option_list(framework);
    const std::string_view name =
        launch.job.model.name.empty() ? std::string_view("A model") : launch.job.model.name;
    const std::uint64_t chips = launch.strategy.chips();
    std::string safe;
    for (const char c : name)
        safe += static_cast<unsigned char>(c) < ' ' ? '?' : c;
    return fmt::format("# {} on {} chips: {}.\n# Option names of {} {}.\n",
                       safe,
                       chips,
                       text_of(launch.strategy),
                       name_of(framework),
                       list.version);
}

// One option a line, as people keep such arrays.
std::string arrays_of(const OptionGroups& groups) {
    std::string text;
    for (const OptionGroup& group : groups.groups()) {
        text += group.name + "=(\n";
        for (const auto& option : group.options) {
            text += "    " + option.front();
            for (std::size_t i = 1; i < option.size(); ++i) {
                const std::string& value = option[i];
                // What the shell would take apart.
                const bool quote = value.find_first_of("()*[]|;&<> ") != std::string::npos;
                text += quote ? " '" + value + "'" : " " + value;
            }
            text += '\n';
        }
        text += ")\n\n";
    }
    return text;
}

std::string uses_of(const OptionGroups& groups) {
    std::string text;
    for (const OptionGroup& group : groups.groups())
        text += fmt::format("    \"${{{}[@]}}\" \\\n", group.name);
    return text;
}

std::string_view connections_of(const Launch& launch, Framework framework) {
    const Strategy& s = launch.strategy;
    if (framework == Framework::deepspeed) return s.tp > 1 ? "1" : "";
    // FSDP refuses to run with 1; experts that overlap want many; everything else wants 1, or
    // kernels of communication do not get in beside those of computation in their order.
    if (framework == Framework::megatron_lm && s.zero >= 2) return "";
    if (framework == Framework::megatron_lm && s.overlap.experts) return "32";
    return "1";
}

std::string script_of(const Launch& launch, Framework framework, const OptionGroups& groups) {
    const std::uint32_t per_node = chips_per_node(launch);
    const std::uint64_t nodes = launch.strategy.chips() / per_node;
    const std::string_view connections = connections_of(launch, framework);
    std::string text = "#!/bin/bash\n" + title(launch, framework);
    text +=
        "# Give data, tokenizer, learning rate and checkpoints as arguments of this script, and "
        "what "
        "changes\n# no time: base and scaling of rotary positions, epsilon of norms, scores and "
        "biases of a router.\n\n";
    if (!connections.empty())
        text += fmt::format("export CUDA_DEVICE_MAX_CONNECTIONS={}\n\n", connections);
    if (framework == Framework::mindspeed) text += "export HCCL_CONNECT_TIMEOUT=3600\n\n";
    text += fmt::format("CHIPS_PER_NODE={}\nNNODES={}\n", per_node, nodes);
    if (framework == Framework::deepspeed) {
        text += "\ncat > ds_config.json <<'EOF'\n" + deepspeed_json(launch) + "EOF\n\n";
        text += arrays_of(groups);
        text += "deepspeed --num_nodes $NNODES --num_gpus $CHIPS_PER_NODE pretrain_gpt.py \\\n" +
                uses_of(groups) + "    \"$@\"\n";
        return text;
    }
    text +=
        "NODE_RANK=${NODE_RANK:-0}\n"
        "MASTER_ADDR=${MASTER_ADDR:-localhost}\n"
        "MASTER_PORT=${MASTER_PORT:-6000}\n\n"
        "DISTRIBUTED_ARGS=(\n"
        "    --nproc_per_node $CHIPS_PER_NODE\n"
        "    --nnodes $NNODES\n"
        "    --node_rank $NODE_RANK\n"
        "    --master_addr $MASTER_ADDR\n"
        "    --master_port $MASTER_PORT\n"
        ")\n\n" +
        arrays_of(groups) + "torchrun \"${DISTRIBUTED_ARGS[@]}\" pretrain_gpt.py \\\n" +
        uses_of(groups) + "    \"$@\"\n";
    return text;
}

std::string toml_of(const Launch& launch, const std::vector<TomlPair>& pairs) {
    const std::uint32_t per_node = chips_per_node(launch);
    std::string text = title(launch, Framework::torchtitan);
    text += fmt::format(
        "# torchrun --nnodes {} --nproc_per_node {} --rdzv_backend c10d --rdzv_endpoint HOST:PORT "
        "\\\n"
        "#     -m torchtitan.train --job.config_file THIS_FILE\n",
        launch.strategy.chips() / per_node,
        per_node);
    std::string section;
    for (const TomlPair& pair : pairs) {
        const std::size_t dot = pair.key.rfind('.');
        if (pair.key.substr(0, dot) != section) {
            section = pair.key.substr(0, dot);
            text += fmt::format("\n[{}]\n", section);
        }
        text += fmt::format("{} = {}\n", pair.key.substr(dot + 1), pair.value);
    }
    return text;
}

Result<Launch> ready(const Launch& launch, Framework framework) {
    if (framework == Framework::composer || framework == Framework::jax) {
        return fail(Code::unsupported,
                    fmt::format("no launch is written for {}: there are those of megatron-lm, "
                                "deepspeed, mindspeed and torchtitan",
                                name_of(framework)));
    }
    Launch made = launch;
    made.strategy = as_launched(launch.strategy, launch.job, framework);
    const std::uint64_t chips = made.strategy.chips();
    WEIR_CHECK(check(made.strategy, made.job, chips));
    WEIR_CHECK(splits_evenly(made, framework));
    if (made.job.sequence == 0) return fail(Code::invalid, "sequence 0: must be at least 1");
    if (made.chips_per_node == 0)
        return fail(Code::invalid, "chips_per_node 0: must be at least 1");
    if (chips > made.chips_per_node && chips % made.chips_per_node != 0) {
        return fail(Code::invalid,
                    fmt::format("chips_per_node {}: must divide the {} chips of the plan",
                                made.chips_per_node,
                                chips));
    }
    return made;
}

Result<OptionGroups> arguments_of(const Launch& made, Framework framework) {
    switch (framework) {
        case Framework::deepspeed:
            return deepspeed_arguments(made);
        case Framework::mindspeed:
            return mindspeed_arguments(made);
        default:
            return megatron_arguments(made);
    }
}

}  // namespace

void OptionGroups::value(std::string_view name, std::string_view value) {
    groups_.back().options.push_back({std::string(name), std::string(value)});
}
void OptionGroups::value(std::string_view name, std::uint64_t value) {
    groups_.back().options.push_back({std::string(name), std::to_string(value)});
}
void OptionGroups::values(std::string_view name, std::vector<std::string> values) {
    values.insert(values.begin(), std::string(name));
    groups_.back().options.push_back(std::move(values));
}
std::vector<std::string> OptionGroups::words() const {
    std::vector<std::string> words;
    for (const OptionGroup& group : groups_) {
        for (const auto& option : group.options)
            words.insert(words.end(), option.begin(), option.end());
    }
    return words;
}

tl::unexpected<Error> cannot(Framework framework, std::string_view what, std::string_view why) {
    return fail(Code::unsupported,
                fmt::format("{} cannot launch {}: {}", name_of(framework), what, why));
}

tl::unexpected<Error> cannot_model(Framework framework,
                                   std::string_view has,
                                   std::string_view instead) {
    return cannot(framework,
                  "this model",
                  fmt::format("the model {}, and {} {}", has, name_of(framework), instead));
}

Result<void> layer_is_plain(const Launch& launch, Framework framework) {
    const catalog::Model& model = launch.job.model;
    if (model.chunked) return cannot_model(framework, "attends in chunks");
    if (model.parallel_block)
        return cannot_model(framework, "has attention and feed-forward side by side in a layer");
    const std::uint32_t positions = model.learned_positions;
    if (positions == 0 || launch.job.sequence <= positions) return {};
    return cannot(framework,
                  fmt::format("sequences of {} tokens", launch.job.sequence),
                  fmt::format("the model has {} learned positions; take sequences of at most so "
                              "many",
                              positions));
}

Result<void> splits_evenly(const Launch& launch, Framework framework) {
    const Strategy& s = launch.strategy;
    const catalog::Model& model = launch.job.model;
    const std::string tp = fmt::format("tp {}", s.tp);
    // Where chips are more than groups of keys, Megatron-LM gives some of them the same ones.
    const bool shared = framework == Framework::megatron_lm && s.tp % model.kv_heads == 0;
    if (model.kv_heads % s.tp != 0 && !shared) {
        return cannot(
            framework,
            tp,
            fmt::format("tp must divide the {} heads of keys and values{}",
                        model.kv_heads,
                        framework == Framework::megatron_lm ? ", or be a multiple of them" : ""));
    }
    const bool plain = !model.experts || model.experts->first_dense > 0 || model.experts->every > 1;
    if (plain && model.ffn % s.tp != 0) {
        return cannot(
            framework,
            tp,
            fmt::format("tp must divide the inner width of the feed-forward ({})", model.ffn));
    }
    const std::uint32_t over = s.etp == 0 ? s.tp : s.etp;
    if (model.experts && model.experts->ffn % over != 0) {
        return cannot(
            framework,
            fmt::format("etp {}", over),
            fmt::format("etp must divide the inner width of an expert ({})", model.experts->ffn));
    }
    return {};
}

std::uint64_t micro_batches_of(const Launch& launch) {
    return launch.job.global_batch /
           (std::uint64_t{launch.strategy.micro_batch} * launch.strategy.dp);
}

std::uint64_t steps_of(const TrainingJob& job) {
    // Beyond this no count of steps is meant.
    constexpr double most = 1e15;
    const double step = static_cast<double>(job.sequence) * job.global_batch;
    if (!(job.tokens > 0) || step <= 0) return 0;
    return static_cast<std::uint64_t>(std::min(most, std::ceil(job.tokens / step)));
}

std::vector<std::uint32_t> layers_by_stage(std::uint32_t layers, std::uint32_t stages) {
    std::vector<std::uint32_t> by_stage(stages, layers / stages);
    // From the second on, and the first last of all.
    for (std::uint32_t i = 0; i < layers % stages; ++i)
        ++by_stage[(1 + i) % stages];
    return by_stage;
}

std::string expert_pattern(const catalog::Model& model) {
    const catalog::Experts& experts = *model.experts;
    const std::uint32_t rest = model.layers - std::min(model.layers, experts.first_dense);
    const std::uint32_t every = std::max<std::uint32_t>(experts.every, 1);
    if (experts.first_dense == 0 && every == 1) return "1";
    std::vector<std::string> parts;
    if (experts.first_dense > 0) parts.push_back(fmt::format("[0]*{}", experts.first_dense));
    if (every == 1) {
        if (rest > 0) parts.push_back(fmt::format("[1]*{}", rest));
    } else {
        if (rest >= every) parts.push_back(fmt::format("([0]*{}+[1])*{}", every - 1, rest / every));
        if (rest % every != 0) parts.push_back(fmt::format("[0]*{}", rest % every));
    }
    std::string text;
    for (const std::string& part : parts)
        text += (text.empty() ? "" : "+") + part;
    return "(" + text + ")";
}

Result<std::string> launch_text(const Launch& launch, Framework framework) {
    WEIR_TRY(const Launch made, ready(launch, framework));
    if (framework == Framework::torchtitan) {
        WEIR_TRY(const auto pairs, torchtitan_settings(made));
        return toml_of(made, pairs);
    }
    WEIR_TRY(const OptionGroups groups, arguments_of(made, framework));
    return script_of(made, framework, groups);
}

Result<void> launches_model(const TrainingJob& job, Precision precision, Framework framework) {
    // What the simplest strategy meets is of the model, but for a precision that wants the
    // optimizer's state split.
    Launch one{job, {}, 1};
    one.strategy.precision = precision;
    const auto whole = launch_arguments(one, framework);
    one.strategy.zero = 1;
    if (!whole && !launch_arguments(one, framework)) return fail(whole.error());
    return {};
}

Result<std::vector<std::string>> launch_arguments(const Launch& launch, Framework framework) {
    WEIR_TRY(const Launch made, ready(launch, framework));
    if (framework == Framework::torchtitan) {
        WEIR_TRY(const auto pairs, torchtitan_settings(made));
        std::vector<std::string> words;
        for (const TomlPair& pair : pairs) {
            // Arguments of torchtitan are the keys; a list is its items with commas.
            std::string value = pair.value;
            std::erase_if(value, [](char c) { return c == '"' || c == '[' || c == ']'; });
            const std::size_t dot = pair.key.rfind('.') + 1;
            if (value == "true")
                words.push_back("--" + pair.key);
            else if (value == "false")
                words.push_back("--" + pair.key.substr(0, dot) + "no_" + pair.key.substr(dot));
            else
                words.push_back("--" + pair.key + "=" + value);
        }
        return words;
    }
    WEIR_TRY(const OptionGroups groups, arguments_of(made, framework));
    return groups.words();
}

}  // namespace weir::plan
