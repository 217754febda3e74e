// The main of `weir`: from the words of a command line to the function that does the work, or to
// one sentence about what is wrong with them.
#include <fmt/format.h>
#include <signal.h>

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "weir/base/huge_pages.hpp"
#include "weir/base/text_table.hpp"
#include "weir/cli/command_options.hpp"
#include "weir/cli/command_table.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {
namespace {

class CommandLine {
public:
    CommandLine() : actions_(declare_commands(app_, given_)) {
        actions_[app_.get_subcommand("run")] = [this] { return run_command(); };
        actions_[app_.get_subcommand("help")] = [this] { return help_command(); };
        actions_[app_.get_subcommand("completion")] = [this] { return completion(); };
    }

    int run(int argc, char** argv) {
        std::vector<std::string> words(argv + 1, argv + argc);
        // Behind a bare -- stands a command of the user's own, which is none of our options.
        for (std::size_t at = 0; at < words.size(); ++at) {
            if (words[at] != "--") continue;
            given_.behind_dashes.assign(words.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                                        words.end());
            words.resize(at);
            break;
        }
        if (!words.empty() && words[0][0] != '-' && child_of(app_, words[0]) == nullptr) {
            return unknown_command(words[0], &app_);
        }
        std::vector<std::string> reversed(words.rbegin(), words.rend());
        try {
            app_.parse(reversed);
        } catch (const CLI::CallForHelp&) {
            return app_.get_subcommands().empty() ? show_overview() : help(*deepest(), status_ok);
        } catch (const CLI::ParseError& problem) {
            return wrong_usage(problem);
        }
        if (given_.show_version) return version_command({});
        if (app_.get_subcommands().empty()) return show_overview();
        const CLI::App* chosen = deepest();
        const std::string name = chosen->get_name();
        if (!given_.behind_dashes.empty() && name != "run" && name != "submit") {
            return report({Code::invalid,
                           fmt::format("{}: takes nothing behind --; see weir help {}",
                                       path_of(*chosen),
                                       path_of(*chosen))});
        }
        const auto action = actions_.find(chosen);
        // A command that only holds others (`weir trace`) says which.
        return action == actions_.end() ? help(*chosen, status_usage) : action->second();
    }

private:
    // --- what needs the table itself ---------------------------------------------------------

    int run_command() {
        // Both spellings work: `weir run -- CMD ARG` and `weir run CMD ARG`.
        const CLI::App* app = app_.get_subcommand("run");
        given_.run.command = app->remaining();
        given_.run.command.insert(
            given_.run.command.end(), given_.behind_dashes.begin(), given_.behind_dashes.end());
        if (given_.run.command.empty()) {
            return report(
                {Code::invalid, "run: no command; write it behind --: weir run -- CMD ARG"});
        }
        if (given_.run.command.front()[0] == '-' && !given_.run.command.front().empty()) {
            return report({Code::invalid,
                           fmt::format("run: unknown option {}{}; the command begins behind --",
                                       given_.run.command.front(),
                                       near_option(*app, given_.run.command.front()))});
        }
        return cli::run(given_.run);
    }

    int show_overview() {
        out(overview(table(), terminal_width()));
        return status_ok;
    }

    int help(const CLI::App& app, int status) const {
        out(help_text(described(app), path_of(app), terminal_width()));
        return status;
    }

    // "schema check"; "" for weir itself.
    std::string path_of(const CLI::App& app) const {
        if (&app == &app_) return "";
        const std::string above = app.get_parent() == nullptr ? "" : path_of(*app.get_parent());
        return above.empty() ? app.get_name() : above + " " + app.get_name();
    }

    int help_command() {
        if (given_.help_markdown) {
            out(markdown_reference(table()));
            return status_ok;
        }
        if (given_.help_json) {
            out_json(json_reference(table()));
            return status_ok;
        }
        const CLI::App* at = &app_;
        for (const std::string& word : given_.help_words) {
            const CLI::App* next = child_of(*at, word);
            if (next == nullptr) return unknown_command(word, at);
            at = next;
        }
        return at == &app_ ? show_overview() : help(*at, status_ok);
    }

    int completion() {
        out(given_.completion_json   ? json_reference(table()) + "\n"
            : given_.shell == "bash" ? bash_completion(table())
                                     : zsh_completion(table()));
        return status_ok;
    }

    static const CLI::App* child_of(const CLI::App& app, const std::string& name) {
        for (const CLI::App* child : app.get_subcommands(nullptr)) {
            if (child->get_name() == name) return child;
        }
        return nullptr;
    }

    const CLI::App* deepest() const {
        const CLI::App* at = &app_;
        while (!at->get_subcommands().empty())
            at = at->get_subcommands().front();
        return at;
    }

    int unknown_command(const std::string& word, const CLI::App* in) const {
        std::vector<std::string> names;
        for (const CLI::App* child : in->get_subcommands(nullptr)) {
            names.push_back(child->get_name());
        }
        const std::string near = nearest(word, names);
        const std::string path = path_of(*in).empty() ? "weir" : "weir " + path_of(*in);
        return report(
            {Code::invalid,
             fmt::format("there is no command \"{} {}\"{}; `{}` alone lists what there is",
                         path,
                         word,
                         near.empty() ? "" : " (did you mean `" + path + " " + near + "`?)",
                         path)});
    }

    static std::string near_option(const CLI::App& app, const std::string& given) {
        std::vector<std::string> names;
        for (const CLI::Option* option : app.get_options()) {
            for (const std::string& name : option->get_lnames())
                names.push_back("--" + name);
        }
        const std::string near = nearest(given.substr(0, given.find('=')), names);
        return near.empty() ? "" : " (did you mean " + near + "?)";
    }

    static std::optional<std::string> missing_word(const CLI::App& app) {
        for (const CLI::Option* option : app.get_options()) {
            if (!option->get_required() || option->count() > 0) continue;
            if (!option->get_lnames().empty())
                return fmt::format(
                    "--{} is missing: {}", option->get_lnames().front(), option->get_description());
            const std::string word = option->get_type_name();
            return word.find('|') == std::string::npos
                       ? fmt::format("{} is missing: {}", word, option->get_description())
                       : fmt::format("one of {} is missing", word);
        }
        return std::nullopt;
    }

    // Of "--cpus: 1 required N missing", whose words are the library's.
    static std::optional<std::string> missing_value(const CLI::App& app,
                                                    const std::string& sentence) {
        const std::string name = sentence.substr(0, sentence.find(':'));
        const CLI::Option* option = app.get_option_no_throw(name);
        if (option == nullptr) return std::nullopt;
        if (sentence.find("missing") == std::string::npos) {
            return fmt::format("{} may stand only once", name);
        }
        return fmt::format("{} needs a value: {}", name, option->get_type_name());
    }

    int wrong_usage(const CLI::ParseError& problem) const {
        const CLI::App* app = deepest();
        const std::string path = path_of(*app);
        std::string sentence = problem.what();
        if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
            const std::vector<std::string> extra = app_.remaining(true);
            if (!extra.empty() && extra[0][0] == '-') {
                sentence =
                    fmt::format("unknown option {}{}", extra[0], near_option(*app, extra[0]));
                // Slurm's sbatch takes the words behind a script for the script's own.
                if (path == "submit") sentence += "; those of a script stand behind --";
            } else if (!extra.empty() && !app->get_subcommands(nullptr).empty()) {
                return unknown_command(extra[0], app);
            } else if (!extra.empty()) {
                sentence = fmt::format("\"{}\" is one word too many", extra[0]);
            }
        } else if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError)) {
            sentence = missing_word(*app).value_or(sentence);
        } else if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ArgumentMismatch)) {
            sentence = missing_value(*app, sentence).value_or(sentence);
        } else if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExcludesError)) {
            // "--top excludes --scale", in the order in which they were declared.
            const auto word = sentence.find(" excludes ");
            if (word != std::string::npos)
                sentence = fmt::format("{} and {} do not go together; leave one of them",
                                       sentence.substr(0, word),
                                       sentence.substr(word + 10));
        }
        return report({Code::invalid,
                       path.empty()
                           ? fmt::format("{}; see weir help", sentence)
                           : fmt::format("{}: {}; see weir help {}", path, sentence, path)});
    }

    CommandInfo table() const {
        CommandInfo root = described(app_);
        root.summary = "one queue over all your compute";
        return root;
    }

    static CommandInfo described(const CLI::App& app) {
        CommandInfo info;
        info.name = app.get_name();
        info.group = app.get_group();
        info.summary = app.get_description();
        info.footer = app.get_footer();
        if (app.get_prefix_command()) info.behind = "-- COMMAND...";
        for (const CLI::Option* option : app.get_options()) {
            OptionInfo one;
            for (const std::string& name : option->get_snames())
                one.names.push_back("-" + name);
            for (const std::string& name : option->get_lnames())
                one.names.push_back("--" + name);
            const bool flag = option->get_items_expected_max() == 0;
            one.required = option->get_required();
            one.value = flag ? "" : option->get_type_name();
            one.description = option->get_description();
            one.repeats = option->get_items_expected_max() > 1;
            info.options.push_back(std::move(one));
        }
        for (const CLI::App* child : app.get_subcommands(nullptr))
            info.children.push_back(described(*child));
        return info;
    }

    CLI::App app_;
    Given given_;
    Actions actions_;
};

}  // namespace
}  // namespace weir::cli

int main(int argc, char** argv) {
    // Those that keep a world in memory; all others are over before it would be of use.
    const std::string_view command = argc > 1 ? argv[1] : "";
    if (command == "up" || command == "simulate") weir::use_huge_pages(argv);
    // A client that reads no more is an error of write(), never the end of the program.
    ::signal(SIGPIPE, SIG_IGN);
    try {
        return weir::cli::CommandLine().run(argc, argv);
    } catch (const std::exception& problem) {
        return weir::cli::report({weir::Code::internal, problem.what()});
    }
}
