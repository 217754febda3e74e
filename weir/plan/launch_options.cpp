#include "weir/plan/launch_options.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace weir::plan {
namespace {

using Ranks = std::unordered_map<std::string_view, OptionRank>;

void add(Ranks& ranks, std::string_view names, OptionRank rank) {
    std::size_t at = 0;
    while ((at = names.find_first_not_of(" \n", at)) != std::string_view::npos) {
        const std::size_t end = std::min(names.find_first_of(" \n", at), names.size());
        ranks.try_emplace(names.substr(at, end - at), rank);
        at = end;
    }
}

void add(Ranks& ranks, const OptionList& list) {
    add(ranks, list.plan, OptionRank::plan);
    add(ranks, list.weight, OptionRank::weight);
    add(ranks, list.neither, OptionRank::neither);
}

Ranks ranks_of(std::initializer_list<const OptionList*> lists) {
    Ranks ranks;
    for (const OptionList* list : lists)
        add(ranks, *list);
    return ranks;
}

const Ranks& ranks_of(Framework framework) {
    static const Ranks megatron = ranks_of({&megatron_options});
    static const Ranks mindspeed = ranks_of({&mindspeed_options, &megatron_options});
    static const Ranks deepspeed = ranks_of({&deepspeed_options});
    static const Ranks torchtitan = ranks_of({&torchtitan_options});
    switch (framework) {
        case Framework::mindspeed:
            return mindspeed;
        case Framework::deepspeed:
            return deepspeed;
        case Framework::torchtitan:
            return torchtitan;
        default:
            return megatron;
    }
}

OptionRank rank_in(const Ranks& ranks, std::string_view option) {
    const auto found = ranks.find(option);
    return found == ranks.end() ? OptionRank::unknown : found->second;
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t before = row[0]++;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t above = row[j + 1];
            row[j + 1] = std::min({above + 1, row[j] + 1, before + (a[i] == b[j] ? 0 : 1)});
            before = above;
        }
    }
    return row[b.size()];
}

}  // namespace

const OptionList& option_list(Framework framework) {
    switch (framework) {
        case Framework::mindspeed:
            return mindspeed_options;
        case Framework::deepspeed:
            return deepspeed_options;
        case Framework::torchtitan:
            return torchtitan_options;
        default:
            return megatron_options;
    }
}

const OptionList& deepspeed_json_list() {
    return deepspeed_json_options;
}

bool only_mindspeed(std::string_view option) {
    static const Ranks own = ranks_of({&mindspeed_options});
    return own.count(option) != 0 && rank_of(option, Framework::megatron_lm) == OptionRank::unknown;
}

OptionRank rank_of(std::string_view option, Framework framework) {
    return rank_in(ranks_of(framework), option);
}

OptionRank rank_of_json(std::string_view key) {
    static const Ranks json = ranks_of({&deepspeed_json_options});
    return rank_in(json, key);
}

std::string_view nearest_option(std::string_view option, Framework framework) {
    std::string_view best;
    // A third of the letters may be wrong, and no more than three.
    std::size_t least = std::min<std::size_t>(3, option.size() / 3) + 1;
    if (option.size() > 80) return best;
    for (const auto& [name, rank] : ranks_of(framework)) {
        const std::size_t longer = std::max(name.size(), option.size());
        if (longer - std::min(name.size(), option.size()) >= least + 1) continue;
        const std::size_t far = distance(option, name);
        // Ties go to the first in the alphabet: the order of a hash table is nobody's.
        if (far < least || (far == least && !best.empty() && name < best)) {
            least = far;
            best = name;
        }
    }
    return best;
}

}  // namespace weir::plan
