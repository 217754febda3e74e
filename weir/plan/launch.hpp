// A plan as the framework is told it, and an existing launch as a plan.
//
// launch_text() writes what people start: a shell script with every option of the model's shape and
// of the strategy (Megatron-LM, MindSpeed-LLM, DeepSpeed with its JSON inside), or the TOML of
// torchtitan. What a plan does not say (data, tokenizer, learning rate, checkpoints) is left to the
// caller: scripts end in "$@". read_launch() goes the other way. It takes scripts as people write
// them (variables, arrays, arithmetic, conditions, heredocs), says what it assumed, and lists each
// option that it does not know; nothing is dropped silently.
//
// Option names are those of the versions in launch_options.hpp.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/plan/strategy.hpp"

namespace weir::plan {

struct Launch {
    TrainingJob job{};
    Strategy strategy{};
    std::uint32_t chips_per_node = 8;
};

// Fails, with the field and what would be valid, where the framework cannot run this strategy or
// model. What a framework always does, and what has no meaning for this strategy, is no obstacle:
// as_launched() tells it.
Result<std::string> launch_text(const Launch& launch, Framework framework);
// Whether it has the model in this precision at all, whatever the strategy.
Result<void> launches_model(const TrainingJob& job, Precision precision, Framework framework);
// Only the words after the program's name: what a job gets as WEIR_LAUNCH_ARGS.
Result<std::vector<std::string>> launch_arguments(const Launch& launch, Framework framework);

// The strategy as this framework runs it: what it always does is on, what has no meaning is off
// (sequence parallelism of one chip, the algorithm of context parallelism that there is none of).
// Ensures: as_launched of the result is the result; read_launch(launch_text(l, f)) gives it.
Strategy as_launched(const Strategy& strategy, const TrainingJob& job, Framework framework);

// What a text may leave open. What a text says has precedence; chips that its batches or degrees
// contradict are an error, as they are when it starts.
struct LaunchHints {
    std::uint64_t chips = 0;  // 0 = not said
    std::uint32_t chips_per_node = 0;
    std::uint32_t sequence = 0;
    std::optional<catalog::Model> model{};  // for a text without a shape; its vocabulary otherwise
};

struct ReadLaunch {
    Launch launch{};
    Framework framework = Framework::megatron_lm;
    std::uint64_t chips = 0;
    // Sentences. What the text does not say and the framework's default or convention fills in.
    std::vector<std::string> assumed{};
    // Options that bear on speed or memory, are understood, and have no place in a plan.
    std::vector<std::string> not_modelled{};
    // Options, commands and conditions that are not known.
    std::vector<std::string> not_understood{};
};

// A launch script, bare arguments, a DeepSpeed JSON or a torchtitan TOML: told apart by what is in
// them. Errors begin with `source`; contradictions are errors, with both sides.
Result<ReadLaunch> read_launch(std::string_view text,
                               std::string_view source,
                               const LaunchHints& hints = {});

}  // namespace weir::plan
