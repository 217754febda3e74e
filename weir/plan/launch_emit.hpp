// Inside of launch_text(): what the writers for the frameworks share.
//
// A writer checks what its framework cannot do, in the order of the user's plan, and then lists the
// options in groups; turning groups into a script is done once, for all.
//
// Threads: values and pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.hpp"
#include "weir/plan/launch.hpp"

namespace weir::plan {

// Options in the order in which they are written; each is a name with its values.
struct OptionGroup {
    std::string name{};  // "MODEL_ARGS"
    std::vector<std::vector<std::string>> options{};
};

class OptionGroups {
public:
    void group(std::string_view name) { groups_.push_back({std::string(name), {}}); }
    void flag(std::string_view name) { groups_.back().options.push_back({std::string(name)}); }
    void flag_if(bool wanted, std::string_view name) {
        if (wanted) flag(name);
    }
    void value(std::string_view name, std::string_view value);
    void value(std::string_view name, std::uint64_t value);
    void values(std::string_view name, std::vector<std::string> values);

    [[nodiscard]] const std::vector<OptionGroup>& groups() const { return groups_; }
    [[nodiscard]] std::vector<std::string> words() const;

private:
    std::vector<OptionGroup> groups_;
};

// Each requires that check() holds and that the strategy is as_launched.
Result<OptionGroups> megatron_arguments(const Launch& launch);
Result<OptionGroups> mindspeed_arguments(const Launch& launch);
Result<OptionGroups> deepspeed_arguments(const Launch& launch);
std::string deepspeed_json(const Launch& launch);
// Keys with their values as TOML writes them.
struct TomlPair {
    std::string key{};  // "parallelism.tensor_parallel_degree"
    std::string value{};
};
Result<std::vector<TomlPair>> torchtitan_settings(const Launch& launch);

// "megatron-lm cannot launch schedule zero-bubble: it has ...": `what` of the plan, by the keys of
// a plan file, and what goes instead. "It" is the framework.
tl::unexpected<Error> cannot(Framework framework, std::string_view what, std::string_view why);
// "deepspeed cannot launch this model: the model has a sliding window, and deepspeed has no option
// for that".
tl::unexpected<Error> cannot_model(Framework framework,
                                   std::string_view has,
                                   std::string_view instead = "has no option for that");
// Attention over the whole sequence and then the feed-forward part, with enough positions where
// they are learned: all that Megatron-LM and those that borrow its layers have.
Result<void> layer_is_plain(const Launch& launch, Framework framework);

// Whether what tensor parallelism splits comes out even: groups of keys, inner widths.
Result<void> splits_evenly(const Launch& launch, Framework framework);

// The number of micro-batches of a step.
std::uint64_t micro_batches_of(const Launch& launch);
// Steps to train the tokens of the job; 0 = not said.
std::uint64_t steps_of(const TrainingJob& job);

// What the shape needs of Megatron-LM and those that borrow its options, beyond their own.
void megatron_shape(OptionGroups& out, const catalog::Model& model, bool latent);
// Groups of experts, where a token uses those of some alone.
void megatron_router_groups(OptionGroups& out, const catalog::Experts& experts);
// Of the plan, whatever the framework.
void megatron_batches(OptionGroups& out, const Launch& launch);

// Layers of each of `stages` parts in order, as even as can be; the first and the last, which have
// the embedding and the loss, are among the smaller ones.
std::vector<std::uint32_t> layers_by_stage(std::uint32_t layers, std::uint32_t stages);

// "([0]*3+[1]*58)": which layers have experts, as Megatron-LM reads it.
std::string expert_pattern(const catalog::Model& model);

}  // namespace weir::plan
