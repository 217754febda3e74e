// read_launch(): what kind of text it is, which command trains, which framework that is.
#include "weir/plan/launch_read.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "weir/plan/launch_options.hpp"
#include "weir/plan/toml_subset.hpp"

namespace weir::plan {
namespace {

// The first line that is neither empty nor a comment.
std::string_view first_line(std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
            line.remove_suffix(1);
        if (!line.empty() && line[0] != '#') return line;
    }
    return {};
}

bool is_toml(std::string_view line) {
    if (line.size() < 3 || line[0] != '[' || line[1] == '[' || line[1] == ' ') return false;
    const std::size_t close = line.find(']');
    return close != std::string_view::npos && line.find_first_of(" $") > close;
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// Where the program is in a command: pretrain_gpt.py, -m torchtitan.train.
std::optional<FoundCommand> program_in(const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        const bool file = ends_with(words[i], ".py");
        const bool module = words[i] == "-m" && i + 1 < words.size() &&
                            words[i + 1].find("torch.distributed") != 0 && words[i + 1][0] != '-';
        if (!file && !module) continue;
        const std::size_t at = file ? i : i + 1;
        FoundCommand found;
        found.launcher.assign(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(i));
        found.program = words[at];
        found.arguments.assign(words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
        return found;
    }
    return std::nullopt;
}

// How many of its options are a plan's, in any framework.
std::size_t weight_of(const FoundCommand& command) {
    std::size_t count = 0;
    for (const std::string& word : command.arguments) {
        const std::string name = word.substr(0, word.find('='));
        if (name.size() < 3 || name[0] != '-') continue;
        const bool known = rank_of(name, Framework::megatron_lm) == OptionRank::plan ||
                           rank_of(name, Framework::mindspeed) == OptionRank::plan ||
                           rank_of(name, Framework::deepspeed) == OptionRank::plan ||
                           rank_of(name.substr(2), Framework::torchtitan) != OptionRank::unknown;
        count += known ? 1 : 0;
    }
    return count;
}

// Whether a script prepares Ascend chips: what every script of MindSpeed does, and no other.
bool names_ascend(std::string_view text) {
    for (const std::string_view sign : {"HCCL_", "ASCEND_", "NPUS_PER_NODE", "NPU_ALLOC_CONF"}) {
        if (text.find(sign) != std::string_view::npos) return true;
    }
    return false;
}

Framework framework_of(const FoundCommand& command, std::string_view text) {
    if (command.program.find("torchtitan") != std::string::npos) return Framework::torchtitan;
    bool mindspeed = false;
    for (const std::string& word : command.arguments) {
        const std::string name = word.substr(0, word.find('='));
        if (name == "--deepspeed" || name == "--deepspeed_config" ||
            name == "--ds-sequence-parallel-size" || name == "--no-pipeline-parallel")
            return Framework::deepspeed;
        if (name.find('.') != std::string::npos &&
            rank_of(name.substr(std::min<std::size_t>(2, name.size())), Framework::torchtitan) !=
                OptionRank::unknown)
            return Framework::torchtitan;
        mindspeed = mindspeed || only_mindspeed(name);
    }
    return mindspeed || names_ascend(text) ? Framework::mindspeed : Framework::megatron_lm;
}

Result<FoundCommand> training_command(const ShellScript& script, std::string_view source) {
    std::optional<FoundCommand> best;
    std::size_t weight = 0;
    for (const auto& words : script.commands) {
        auto found = program_in(words);
        if (!found && !words.empty() && words[0].substr(0, 2) == "--")
            found = FoundCommand{{}, "", words};
        if (!found) continue;
        const std::size_t of = weight_of(*found);
        if (of < weight || (best && of == 0)) continue;
        weight = of;
        best = std::move(found);
    }
    if (!best || weight == 0) {
        return fail(
            Code::invalid,
            fmt::format("{}: starts no training that is known: a command with pretrain_gpt.py or "
                        "torchtitan.train and its options",
                        source));
    }
    return *best;
}

// Keys of torchtitan under the names that they have now.
std::string titan_key(Reader& reader, const std::string& key) {
    struct Rename {
        std::string_view older;
        std::string_view now;
    };
    // Whole keys, and tables with the dot behind them.
    constexpr std::array<Rename, 9> renames{{
        {"training.batch_size", "training.local_batch_size"},
        {"training.compile", "compile.enable"},
        {"float8.", "quantize.linear.float8."},
        {"mx.", "quantize.linear.mx."},
        {"quantize.dense.float8.", "quantize.linear.float8."},
        {"quantize.linear.fp8.", "quantize.linear.float8."},
        {"quantize.linear.mxfp8.", "quantize.linear.mx."},
        {"quantize.moe.float8.", "quantize.grouped_mm.float8."},
        {"quantize.grouped_mm.fp8.", "quantize.grouped_mm.float8."},
    }};
    for (const Rename& rename : renames) {
        const bool table = rename.older.back() == '.';
        if (table ? key.rfind(rename.older, 0) != 0 : key != rename.older) continue;
        std::string now = std::string(rename.now) + key.substr(rename.older.size());
        reader.assume(fmt::format("{} is an older name of {}", key, now));
        return now;
    }
    return key;
}

Result<ReadLaunch> read_toml(std::string_view text,
                             std::string_view source,
                             const LaunchHints& hints) {
    WEIR_TRY(const auto entries, parse_toml_subset(text, source));
    Reader reader(source, Framework::torchtitan, hints);
    for (const TomlEntry& entry : entries)
        reader.take(
            titan_key(reader, entry.key),
            entry.kind == TomlKind::list ? entry.items : std::vector<std::string>{entry.text});
    read_torchtitan(reader, {});
    return reader.finish();
}

// Arguments of torchtitan: --parallelism.tensor_parallel_degree=8, --compile.no_enable.
void take_overrides(Reader& reader, const std::vector<std::string>& arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& word = arguments[i];
        if (word.substr(0, 2) != "--") {
            reader.out.not_understood.push_back(word + ": belongs to no option");
            continue;
        }
        const std::size_t equals = word.find('=');
        std::string key = word.substr(2, equals == std::string::npos ? equals : equals - 2);
        std::string value = "true";
        if (equals != std::string::npos) {
            value = word.substr(equals + 1);
        } else if (i + 1 < arguments.size() && arguments[i + 1].substr(0, 2) != "--") {
            value = arguments[++i];
        } else if (const std::size_t no = key.rfind(".no_"); no != std::string::npos) {
            key.erase(no + 1, 3);
            value = "false";
        }
        // Lists have commas.
        std::vector<std::string> items{""};
        for (const char c : value) {
            if (c == ',')
                items.emplace_back();
            else
                items.back() += c;
        }
        reader.take(titan_key(reader, key), std::move(items));
    }
}

}  // namespace

Started started_by(const FoundCommand& command) {
    Started started;
    struct Name {
        std::string_view option;
        std::uint64_t Started::*member;
    };
    constexpr std::array<Name, 12> names{{{"--nproc-per-node", &Started::per_node},
                                          {"--nnodes", &Started::nodes},
                                          {"--num-gpus", &Started::per_node},
                                          {"--num-nodes", &Started::nodes},
                                          {"--ntasks-per-node", &Started::per_node},
                                          {"--gpus-per-node", &Started::per_node},
                                          {"--nodes", &Started::nodes},
                                          {"-N", &Started::nodes},
                                          {"-np", &Started::chips},
                                          {"--ntasks", &Started::chips},
                                          {"-n", &Started::chips},
                                          {"--world-size", &Started::chips}}};
    bool torchrun = false;
    for (std::size_t i = 0; i < command.launcher.size(); ++i) {
        std::string word = command.launcher[i];
        // One process starts the others: what came before told of nodes only.
        if (ends_with(word, "torchrun") || word.find("torch.distributed") == 0) {
            torchrun = true;
            started.chips = started.per_node = 0;
            continue;
        }
        const std::size_t equals = word.find('=');
        std::string name = word.substr(0, equals);
        if (name.substr(0, 2) == "--") std::replace(name.begin(), name.end(), '_', '-');
        for (const Name& known : names) {
            if (name != known.option) continue;
            if (torchrun && known.member == &Started::chips) continue;
            std::string value = equals != std::string::npos       ? word.substr(equals + 1)
                                : i + 1 < command.launcher.size() ? command.launcher[i + 1]
                                                                  : std::string();
            std::uint64_t number = 0;
            const auto [end, error] =
                std::from_chars(value.data(), value.data() + value.size(), number);
            if (error == std::errc() && end == value.data() + value.size() && number > 0 &&
                number <= 100'000'000) {
                started.*known.member = number;
            } else if (started.unknown.empty()) {
                started.unknown =
                    unknown_part(value).empty()
                        ? fmt::format("{} is {}", name, value)
                        : fmt::format("{} is {}, which the script does not set", name, value);
            }
        }
    }
    started.one_is_default = torchrun;
    return started;
}

Result<ReadLaunch> read_launch(std::string_view text,
                               std::string_view source,
                               const LaunchHints& hints) {
    const std::string_view first = first_line(text);
    if (first.empty()) return fail(Code::invalid, fmt::format("{}: is empty", source));
    if (first[0] == '{') {
        Reader reader(source, Framework::deepspeed, hints);
        read_deepspeed_json(reader, text, source);
        return reader.finish();
    }
    if (is_toml(first)) return read_toml(text, source, hints);

    WEIR_TRY(const ShellScript script, follow_shell(text, source));
    WEIR_TRY(const FoundCommand command, training_command(script, source));
    const Framework framework = framework_of(command, text);
    Reader reader(source, framework, hints);
    const Started started = started_by(command);
    for (const std::string& sentence : script.assumed)
        reader.assume(sentence);
    for (const std::string& sentence : script.skipped)
        reader.out.not_understood.push_back(sentence);
    if (framework == Framework::torchtitan) {
        take_overrides(reader, command.arguments);
        if (const auto file = reader.word("job.config_file")) {
            reader.refuse(fmt::format("its settings are in {}: read that file", *file));
        }
        read_torchtitan(reader, started);
        return reader.finish();
    }
    reader.take(command.arguments);
    if (framework == Framework::deepspeed)
        read_deepspeed(reader, started, script);
    else
        read_megatron(reader, started);
    return reader.finish();
}

}  // namespace weir::plan
