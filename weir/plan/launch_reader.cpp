// The Reader: options, the first problem, and what is left over.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "weir/plan/launch_options.hpp"
#include "weir/plan/launch_read.hpp"

namespace weir::plan {
namespace {

std::string shown(const std::string& name, const std::vector<std::string>& values) {
    std::string text = name;
    for (const std::string& value : values) {
        text += ' ' + value;
        if (text.size() > 120) return text.substr(0, 117) + "...";
    }
    return text;
}

// "--opt" and the like; "-1" is a value.
bool is_option(std::string_view word) {
    return word.size() > 2 && word.substr(0, 2) == "--";
}

}  // namespace

void Reader::take(std::string name, std::vector<std::string> values) {
    const auto [place, fresh] = options_.try_emplace(name);
    if (!fresh && place->second.values != values) {
        assume(fmt::format("{} is given more than once; the last counts", shown(name, values)));
    }
    place->second.values = std::move(values);
}

void Reader::take(const std::vector<std::string>& arguments) {
    std::string name;
    std::vector<std::string> values;
    const auto keep = [&] {
        if (!name.empty())
            take(name, values);
        else
            for (const std::string& stray : values)
                out.not_understood.push_back(stray + ": belongs to no option");
    };
    for (const std::string& word : arguments) {
        if (!is_option(word)) {
            values.push_back(word);
            continue;
        }
        keep();
        values.clear();
        const std::size_t equals = word.find('=');
        name = word.substr(0, equals);
        if (equals != std::string::npos) values.push_back(word.substr(equals + 1));
    }
    keep();
}

void Reader::refuse(Code code, std::string_view sentence) {
    if (!problem_) problem_ = Error{code, fmt::format("{}: {}", source_, sentence)};
}

Reader::Option* Reader::ask(std::string_view name) {
    const auto found = options_.find(name);
    if (found == options_.end()) return nullptr;
    found->second.asked = true;
    return &found->second;
}

bool Reader::flag(std::string_view name) {
    const Option* option = ask(name);
    if (option == nullptr) return false;
    for (const std::string& stray : option->values) {
        if (const auto unknown = unknown_part(stray); !unknown.empty()) {
            out.not_understood.push_back(
                fmt::format("{}: has no value in the script; what it adds is not known", stray));
        } else {
            out.not_understood.push_back(
                fmt::format("{} {}: the option takes no value", name, stray));
        }
    }
    return true;
}

std::vector<std::string> Reader::words(std::string_view name) {
    const Option* option = ask(name);
    if (option == nullptr) return {};
    if (option->values.empty()) refuse(fmt::format("{}: needs a value", name));
    return option->values;
}

std::vector<std::string> Reader::list(std::string_view name) {
    const Option* option = ask(name);
    return option == nullptr ? std::vector<std::string>{} : option->values;
}

std::optional<std::string> Reader::word(std::string_view name) {
    const auto values = words(name);
    if (values.empty()) return std::nullopt;
    for (std::size_t i = 1; i < values.size(); ++i) {
        out.not_understood.push_back(
            unknown_part(values[i]).empty()
                ? fmt::format("{}: belongs to no option", values[i])
                : fmt::format("{}: has no value in the script; what it adds "
                              "is not known",
                              values[i]));
    }
    return values.front();
}

std::optional<std::uint32_t> Reader::number(std::string_view name, std::uint32_t low) {
    const auto text = word(name);
    if (!text) return std::nullopt;
    if (const auto unknown = unknown_part(*text); !unknown.empty()) {
        refuse(fmt::format("{} is {}, which the script does not set", name, *text));
        return std::nullopt;
    }
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    // No width, batch or degree is beyond.
    constexpr std::uint32_t high = 100'000'000;
    if (error != std::errc() || end != text->data() + text->size() || value < low || value > high) {
        refuse(fmt::format("{} {}: must be a whole number from {} to {}", name, *text, low, high));
        return std::nullopt;
    }
    return value;
}

std::optional<double> Reader::amount(std::string_view name) {
    const auto text = word(name);
    if (!text) return std::nullopt;
    double value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size() || !(value >= 0) ||
        value > 1e18) {
        if (unknown_part(*text).empty())
            refuse(fmt::format("{} {}: must be a number", name, *text));
        return std::nullopt;
    }
    return value;
}

std::uint32_t Reader::number_or(std::string_view name,
                                std::uint32_t otherwise,
                                std::string_view why) {
    if (const auto said = number(name)) return *said;
    if (good()) assume(fmt::format("{} {}: {}", name, otherwise, why));
    return otherwise;
}

std::optional<std::string> Reader::choice(std::string_view name,
                                          std::vector<std::string_view> valid) {
    const auto said = word(name);
    if (!said) return std::nullopt;
    if (std::find(valid.begin(), valid.end(), *said) != valid.end()) return said;
    std::string list;
    for (const std::string_view one : valid)
        list += fmt::format("{}{}", list.empty() ? "" : ", ", one);
    refuse(fmt::format("{} {}: must be one of {}", name, *said, list));
    return std::nullopt;
}

void Reader::settle_chips(const Started& started) {
    std::uint64_t nodes = started.nodes;
    std::uint64_t per_node = started.per_node;
    std::uint64_t chips = started.chips;
    if (chips == 0 && started.one_is_default && started.unknown.empty() &&
        (nodes > 0 || per_node > 0)) {
        if (nodes == 0) assume("--nnodes 1: the default of torchrun");
        if (per_node == 0) assume("--nproc_per_node 1: the default of torchrun");
        nodes = std::max<std::uint64_t>(nodes, 1);
        per_node = std::max<std::uint64_t>(per_node, 1);
    }
    if (chips == 0 && nodes > 0 && per_node > 0) chips = nodes * per_node;
    if (chips == 0) chips = hints_.chips;
    if (per_node == 0) per_node = hints_.chips_per_node;
    if (chips == 0) {
        refuse(fmt::format("does not say on how many chips it runs{}; say so",
                           started.unknown.empty() ? std::string() : " (" + started.unknown + ")"));
        return;
    }
    if (chips > 100'000'000) {
        refuse(fmt::format("{} chips: at most 100000000", chips));
        return;
    }
    if (per_node == 0) {
        per_node = std::min<std::uint64_t>(chips, 8);
        assume(fmt::format("{} chips in a node: not said", per_node));
    }
    out.chips = chips;
    out.launch.chips_per_node = static_cast<std::uint32_t>(std::min(per_node, chips));
}

void Reader::settle_data_parallelism() {
    if (!good()) return;
    Strategy& s = out.launch.strategy;
    // In 64 bits the product of what is read may be nothing.
    const double inner = static_cast<double>(s.tp) * s.pp * s.cp;
    if (std::fmod(static_cast<double>(out.chips), inner) != 0) {
        refuse(fmt::format("tp {} x pp {} x cp {} = {:.0f} must divide the {} chips",
                           s.tp,
                           s.pp,
                           s.cp,
                           inner,
                           out.chips));
        return;
    }
    s.dp = static_cast<std::uint32_t>(static_cast<double>(out.chips) / inner);
}

Result<ReadLaunch> Reader::finish() {
    if (problem_) return fail(*problem_);
    for (const auto& [name, option] : options_) {
        if (option.asked) continue;
        switch (rank_of(name, out.framework)) {
            case OptionRank::neither: {
                // Values of unknown content may hide options.
                for (const std::string& value : option.values) {
                    if (option.values.size() > 1 && value == option.values.back() &&
                        value.size() > 1 && value[0] == '$' && unknown_part(value) == value &&
                        name != "--data-path") {
                        out.not_understood.push_back(fmt::format(
                            "{}: has no value in the script; what it adds is not known", value));
                    }
                }
                break;
            }
            case OptionRank::plan:
            case OptionRank::weight:
                out.not_modelled.push_back(shown(name, option.values));
                break;
            case OptionRank::unknown: {
                const std::string_view near = nearest_option(name, out.framework);
                out.not_understood.push_back(near.empty()
                                                 ? fmt::format("{}: {} does not know it",
                                                               shown(name, option.values),
                                                               name_of(out.framework))
                                                 : fmt::format("{}: {} does not know it; {}?",
                                                               shown(name, option.values),
                                                               name_of(out.framework),
                                                               near));
                break;
            }
        }
    }
    Launch& launch = out.launch;
    const catalog::Model& model = launch.job.model;
    if (auto sound = catalog::check(model); !sound)
        return fail(std::move(sound).error().at(source_));
    launch.strategy = as_launched(launch.strategy, launch.job, out.framework);
    if (auto sound = check(launch.strategy, launch.job, out.chips); !sound)
        return fail(std::move(sound).error().at(source_));
    return std::move(out);
}

}  // namespace weir::plan
