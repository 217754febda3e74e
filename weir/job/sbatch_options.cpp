#include "weir/job/sbatch_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "weir/base/schema.hpp"
#include "weir/base/units.hpp"

namespace weir::job {
namespace {

struct Word {
    std::string text;
    std::uint32_t column = 1;
};

// Splits a directive into words as sbatch does: quotes of both kinds, backslashes, and a '#' that
// begins a word ends the line.
std::optional<std::vector<Word>> words_of(std::string_view line, std::uint32_t column) {
    std::vector<Word> words;
    std::size_t at = 0;
    while (at < line.size()) {
        if (line[at] == ' ' || line[at] == '\t') {
            ++at;
            continue;
        }
        if (line[at] == '#') break;
        Word word;
        word.column = column + static_cast<std::uint32_t>(at);
        char quote = 0;
        for (; at < line.size(); ++at) {
            const char c = line[at];
            if (quote == 0 && (c == ' ' || c == '\t')) break;
            if (c == quote && quote != 0) {
                quote = 0;
            } else if (quote == 0 && (c == '"' || c == '\'')) {
                quote = c;
            } else if (c == '\\' && quote != '\'' && at + 1 < line.size()) {
                word.text += line[++at];
            } else {
                word.text += c;
            }
        }
        if (quote != 0) return std::nullopt;
        words.push_back(std::move(word));
    }
    return words;
}

std::string ambiguous(std::string_view spelling, const std::vector<const SbatchOption*>& found) {
    std::string names;
    for (const SbatchOption* option : found)
        names += fmt::format("{}--{}", names.empty() ? "" : ", ", option->name);
    return fmt::format("{} may stand for {}; write it whole", spelling, names);
}

std::string did_you_mean(std::string_view spelling) {
    if (spelling.substr(0, 2) != "--") return "";
    std::vector<std::string_view> known;
    for (const SbatchOption& option : sbatch_options())
        known.push_back(option.name);
    const auto near = schema::nearest(spelling.substr(2), known);
    return near ? fmt::format("; did you mean --{}?", *near) : "";
}

// Directives of other batch systems, which one that knows both would have read.
class Foreigners {
public:
    void see(std::string_view line, std::uint32_t number) {
        for (Kind& kind : kinds_) {
            if (line.substr(0, kind.mark.size()) != kind.mark) continue;
            const std::string_view rest = line.substr(kind.mark.size());
            const auto word = rest.find_first_not_of(" \t");
            if (word == 0 || word == std::string_view::npos || rest[word] != '-') continue;
            if (kind.lines++ == 0) kind.first = number;
        }
    }
    void tell(Script& script) const {
        for (const Kind& kind : kinds_) {
            if (kind.lines == 0) continue;
            script.remarks.push_back(
                {kind.first,
                 1,
                 fmt::format("{} with {} (for {}) {} not read; weir reads #SBATCH",
                             format_count(kind.lines, "line"),
                             kind.mark,
                             kind.system,
                             kind.lines == 1 ? "was" : "were")});
        }
    }

private:
    struct Kind {
        std::string_view mark;
        std::string_view system;
        std::uint32_t lines = 0;
        std::uint32_t first = 0;
    };
    std::array<Kind, 4> kinds_{{{"#PBS", "PBS"},
                                {"#BSUB", "LSF"},
                                {"#PJM", "Technical Computing Suite"},
                                {"#DSUB", "Donau"}}};
};

void add_directives(const std::vector<Word>& words, std::uint32_t line, Script& script) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i].text;
        const auto problem = [&](std::string text) {
            script.problems.push_back({line, words[i].column, std::move(text)});
        };
        if (word.size() < 2 || word.front() != '-') {
            problem(fmt::format("'{}' is not an option; options begin with '-'", word));
            return;
        }
        Directive directive;
        directive.line = line;
        directive.column = words[i].column;
        std::optional<std::string> value;
        if (word[1] == '-') {
            const auto equals = word.find('=');
            directive.spelling = word.substr(0, equals);
            const auto found = find_options(std::string_view(directive.spelling).substr(2));
            if (found.size() > 1) {
                problem(ambiguous(directive.spelling, found));
                return;
            }
            if (found.size() == 1) directive.option = found.front();
            if (equals != std::string::npos) value = word.substr(equals + 1);
        } else {
            directive.spelling = word.substr(0, 2);
            directive.option = find_option(word[1]);
            if (word.size() > 2) value = word.substr(2);
        }
        if (directive.option == nullptr) {
            script.remarks.push_back({line,
                                      words[i].column,
                                      fmt::format("{} is not known and was left out{}",
                                                  directive.spelling,
                                                  did_you_mean(directive.spelling))});
            // Whether the next word belongs to it cannot be known; one without a dash does.
            if (i + 1 < words.size() && words[i + 1].text.front() != '-') ++i;
            continue;
        }
        const Argument argument = directive.option->argument;
        if (argument == Argument::none && value) {
            problem(fmt::format("{} takes no value", directive.spelling));
            return;
        }
        if (argument == Argument::required && !value) {
            if (i + 1 == words.size()) {
                problem(fmt::format("{} has no value", directive.spelling));
                return;
            }
            value = words[++i].text;
        }
        directive.value = value.value_or("");
        script.directives.push_back(std::move(directive));
    }
}

}  // namespace

const std::vector<SbatchOption>& sbatch_options() {
    using enum Argument;
    using enum Treatment;
    // clang-format off
    static const std::vector<SbatchOption> table{
        {"job-name", 'J', required, mapped, "name"},
        {"account", 'A', required, mapped, "tenant"},
        {"nodes", 'N', required, mapped, "gang.replicas, one for each node; of a range the smaller"},
        {"ntasks", 'n', required, mapped, "with nodes: CPUs of each node; alone: gang.replicas, one for each task"},
        {"ntasks-per-node", 0, required, mapped, "gang.cpus, with cpus-per-task"},
        {"cpus-per-task", 'c', required, mapped, "gang.cpus"},
        {"mem", 0, required, mapped, "gang.memory; bare numbers are MiB"},
        {"mem-per-cpu", 0, required, mapped, "gang.memory"},
        {"mem-per-gpu", 0, required, mapped, "gang.memory"},
        {"gres", 0, required, mapped, "gang.chips and, with a type, chips.any_of: gpu:4, gpu:h200:4"},
        {"gpus", 'G', required, mapped, "gang.chips; must divide evenly"},
        {"gpus-per-node", 0, required, mapped, "gang.chips"},
        {"gpus-per-task", 0, required, mapped, "gang.chips"},
        {"cpus-per-gpu", 0, required, mapped, "gang.cpus"},
        {"time", 't', required, mapped, "time.limit: minutes, mm:ss, hh:mm:ss, d-hh, d-hh:mm, d-hh:mm:ss"},
        {"time-min", 0, required, ignored, "the job gets its whole time limit"},
        {"array", 'a', required, mapped, "array"},
        {"dependency", 'd', required, mapped, "afterok: after, afterany: after_any, afternotok: after_failure"},
        {"output", 'o', required, mapped, "stdout, and stderr unless --error is given; %j %A %a %x %N %u %t"},
        {"error", 'e', required, mapped, "stderr"},
        {"chdir", 'D', required, mapped, "workdir; an absolute path"},
        {"export", 0, required, mapped, "NAME=VALUE goes to env"},
        {"qos", 'q', required, mapped, "priority, when it is low, normal, high or urgent; else a note"},
        {"requeue", 0, none, mapped, "retries: 3, for failures of the infrastructure"},
        {"no-requeue", 0, none, mapped, "retries: 0"},
        {"comment", 0, required, mapped, "comment"},
        {"deadline", 0, required, mapped, "deadline: 2026-12-01, 2026-12-01T08:00 or 2026-12-01T08:00:00, read as UTC"},
        {"exclusive", 0, optional, ignored, "other jobs may share its nodes; ask for all CPUs of a node to have it alone"},
        {"partition", 'p', required, ignored, "weir chooses the pool; restrict it with sites or chips in a job file"},
        {"constraint", 'C', required, ignored, "weir knows no node features; restrict the chips in a job file"},
        {"signal", 0, required, ignored, "weir sends none ahead of the limit; at the limit every process gets SIGTERM and 10s to save, and who can be resumed says so with checkpoint in a job file"},
        {"reservation", 0, required, mapped, "reservation: its name (`weir reserve`)"},
        {"nice", 0, optional, ignored, "use --qos=low or --qos=high"},
        {"priority", 0, required, ignored, "use --qos=low or --qos=high"},
        {"oversubscribe", 's', none, ignored, "what a job asked for is its own"},
        {"overcommit", 'O', none, ignored, "tasks get the CPUs that they ask for"},
        {"mail-type", 0, required, ignored, "weir sends no mail"},
        {"mail-user", 0, required, ignored, "weir sends no mail"},
        {"input", 'i', required, ignored, "the input is empty; redirect it in the script"},
        {"open-mode", 0, required, ignored, "output is always appended to what the file has"},
        {"get-user-env", 0, optional, ignored, "the script starts with the environment of the job"},
        {"export-file", 0, required, ignored, "write the variables with --export"},
        {"hint", 0, required, ignored, "placing on cores is left to the launcher"},
        {"distribution", 'm', required, ignored, "placing of tasks is left to the launcher"},
        {"threads-per-core", 0, required, ignored, "CPUs are counted as the fleet counts them"},
        {"cores-per-socket", 0, required, ignored, "CPUs are counted as the fleet counts them"},
        {"sockets-per-node", 0, required, ignored, "CPUs are counted as the fleet counts them"},
        {"extra-node-info", 'B', required, ignored, "CPUs are counted as the fleet counts them"},
        {"ntasks-per-core", 0, required, ignored, "placing on cores is left to the launcher"},
        {"ntasks-per-socket", 0, required, ignored, "placing on cores is left to the launcher"},
        {"ntasks-per-gpu", 0, required, ignored, "give --ntasks"},
        {"cpu-freq", 0, required, ignored, "clocks are left alone"},
        {"gpu-freq", 0, required, ignored, "clocks are left alone"},
        {"gpu-bind", 0, required, ignored, "chips are given by the visible-devices variable"},
        {"mem-bind", 0, required, ignored, "placing on memory is left to the launcher"},
        {"gres-flags", 0, required, ignored, "chips are given by the visible-devices variable"},
        {"contiguous", 0, none, ignored, "write gang: {within: rack} in a job file"},
        {"switches", 0, required, ignored, "write gang: {within: rack} in a job file"},
        {"core-spec", 'S', required, ignored, "no cores are set apart"},
        {"thread-spec", 0, required, ignored, "no threads are set apart"},
        {"tmp", 0, required, ignored, "local disks are not counted"},
        {"mincpus", 0, required, ignored, "give --cpus-per-task"},
        {"wckey", 0, required, ignored, "put it into --comment"},
        {"profile", 0, required, ignored, "memory and CPU time are always recorded"},
        {"acctg-freq", 0, required, ignored, "memory and CPU time are always recorded"},
        {"propagate", 0, optional, ignored, "resource limits are those of the hub"},
        {"no-kill", 'k', optional, ignored, "a gang lives and ends as a whole"},
        {"kill-on-invalid-dep", 0, required, ignored, "a job whose condition cannot come true any more is cancelled"},
        {"spread-job", 0, none, ignored, "weir packs gangs close together"},
        {"use-min-nodes", 0, none, ignored, "weir packs gangs close together"},
        {"wait-all-nodes", 0, required, ignored, "a gang starts whole"},
        {"wait", 'W', none, ignored, "use weir submit --wait or weir wait"},
        {"parsable", 0, none, ignored, "use weir submit --json"},
        {"quiet", 'Q', none, ignored, "weir submit prints no more than the number of the job"},
        {"verbose", 'v', none, ignored, "weir explain says what is decided"},
        {"test-only", 0, none, refused, "use weir schema check"},
        {"begin", 'b', required, refused, "weir would start the job earlier"},
        {"hold", 'H', none, refused, "weir would start the job at once; submit it when it may start"},
        {"nodelist", 'w', required, refused, "weir chooses the nodes"},
        {"nodefile", 'F', required, refused, "weir chooses the nodes"},
        {"exclude", 'x', required, refused, "weir might choose these nodes"},
        {"licenses", 'L', required, refused, "weir counts no licences"},
        {"gpus-per-socket", 0, required, refused, "give --gpus-per-node"},
        {"clusters", 'M', required, refused, "give sites in a job file"},
        {"bb", 0, required, refused, "weir has no burst buffers"},
        {"bbf", 0, required, refused, "weir has no burst buffers"},
        {"container", 0, required, refused, "start the container in the script"},
        {"uid", 0, required, refused, "a job runs as the user of the hub"},
        {"gid", 0, required, refused, "a job runs as the user of the hub"},
        {"wrap", 0, required, refused, "use weir run -- COMMAND"},
    };
    // clang-format on
    return table;
}

std::vector<const SbatchOption*> find_options(std::string_view name) {
    std::vector<const SbatchOption*> found;
    if (name.empty()) return found;
    for (const SbatchOption& option : sbatch_options()) {
        if (option.name == name) return {&option};
        if (option.name.substr(0, name.size()) == name) found.push_back(&option);
    }
    return found;
}

const SbatchOption* find_option(char letter) {
    for (const SbatchOption& option : sbatch_options()) {
        if (option.letter == letter) return &option;
    }
    return nullptr;
}

Script scan_script(std::string_view text) {
    constexpr std::string_view mark = "#SBATCH";
    Script script;
    std::uint32_t number = 0;
    Foreigners foreigners;
    bool commands_began = false;
    while (!text.empty()) {
        ++number;
        const auto end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (number == 1) {
            const auto begin = std::min(line.find_first_not_of(" \t", 2), line.size());
            script.interpreter = std::string(line.substr(begin));
            continue;
        }
        const bool directive =
            line.substr(0, mark.size()) == mark &&
            (line.size() == mark.size() || line[mark.size()] == ' ' || line[mark.size()] == '\t');
        foreigners.see(line, number);
        if (directive && commands_began) {
            script.remarks.push_back(
                {number, 1, "this #SBATCH line stands behind the first command and is ignored"});
        } else if (directive) {
            if (script.first_directive_line == 0) script.first_directive_line = number;
            const auto column = static_cast<std::uint32_t>(mark.size()) + 1;
            const auto words = words_of(line.substr(mark.size()), column);
            if (words) {
                add_directives(*words, number, script);
            } else {
                script.problems.push_back({number, 1, "a quote is not closed on this line"});
            }
        } else if (const auto first = line.find_first_not_of(" \t");
                   first != std::string_view::npos && line[first] != '#') {
            commands_began = true;
        }
    }
    foreigners.tell(script);
    std::stable_sort(script.remarks.begin(),
                     script.remarks.end(),
                     [](const auto& left, const auto& right) { return left.line < right.line; });
    return script;
}

}  // namespace weir::job
