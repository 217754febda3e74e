// The option names that frameworks know, by version: what is written is checked against them, and
// what is read is told by them from what nobody knows.
//
// The lists are the frameworks' own, taken from the files and commits that each names. An option
// has one of three ranks: of the plan (read or written here), of weight (it changes speed or
// memory, but no plan has it), or neither (learning rates, logging, data).
//
// Threads: pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "weir/plan/strategy.hpp"

namespace weir::plan {

enum class OptionRank : std::uint8_t { unknown, plan, weight, neither };

struct OptionList {
    std::string_view version;  // "core 0.16 (development)"
    std::string_view source;   // repository, commit, files
    // Names separated by white space: "--num-layers", "zero_optimization.stage",
    // "parallelism.tensor_parallel_degree".
    std::string_view plan;
    std::string_view weight;
    std::string_view neither;
};

// Of the frameworks that launches are written for: Megatron-LM, DeepSpeed (arguments of
// Megatron-DeepSpeed), MindSpeed (its own; it knows Megatron-LM's, too), torchtitan.
const OptionList& option_list(Framework framework);
// Keys of DeepSpeed's JSON, joined by dots.
const OptionList& deepspeed_json_list();

// Whether MindSpeed alone knows it, of the frameworks with Megatron-LM's options.
bool only_mindspeed(std::string_view option);

OptionRank rank_of(std::string_view option, Framework framework);
OptionRank rank_of_json(std::string_view key);
// The nearest known name to a mistyped one; "" when none is near.
std::string_view nearest_option(std::string_view option, Framework framework);

// The tables, each in a file of its own.
extern const OptionList megatron_options;
extern const OptionList mindspeed_options;
extern const OptionList deepspeed_options;
extern const OptionList deepspeed_json_options;
extern const OptionList torchtitan_options;

}  // namespace weir::plan
