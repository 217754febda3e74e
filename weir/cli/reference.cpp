// The overview on one screen, and the reference page of the command line.
#include <fmt/format.h>

#include <algorithm>

#include "weir/cli/command_table.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {
namespace {

std::string names_of(const OptionInfo& option) {
    std::string names;
    for (const std::string& name : option.names)
        names += (names.empty() ? "" : ", ") + name;
    if (option.names.empty()) return option.value + (option.repeats ? "..." : "");
    return option.value.empty() ? names : names + " " + option.value;
}

std::string usage_of(const CommandInfo& command, const std::string& path) {
    std::string usage = "weir " + path;
    if (!command.options.empty()) usage += " [options]";
    if (!command.children.empty()) usage += " [command]";
    for (const OptionInfo& option : command.options) {
        if (!option.names.empty()) continue;
        const std::string name = names_of(option);
        usage += " " + (option.required ? name : "[" + name + "]");
    }
    return command.behind.empty() ? usage : usage + " " + command.behind;
}

// Two columns, the second wrapped at words.
std::string definition(const std::string& term,
                       const std::string& text,
                       std::size_t column,
                       std::size_t width) {
    std::string lines = "  " + term;
    if (term.size() + 4 > column) {
        lines += "\n" + std::string(column, ' ');
    } else {
        lines += std::string(column - term.size() - 2, ' ');
    }
    return lines + wrapped(text, column, width) + "\n";
}

// The examples as they are, sentences within the width.
std::string footer_of(const CommandInfo& command, std::size_t width) {
    std::string text;
    for (std::size_t begin = 0; begin < command.footer.size();) {
        const std::size_t end = std::min(command.footer.find('\n', begin), command.footer.size());
        const std::string line = command.footer.substr(begin, end - begin);
        text += (line.empty() || line.front() == ' ' ? line : wrapped(line, 0, width)) + "\n";
        begin = end + 1;
    }
    return text;
}

// "|" separates cells of a table, also inside backquotes.
std::string cell(std::string text) {
    for (std::size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) {
        text.insert(at, "\\");
    }
    return text;
}

void describe(const CommandInfo& command, const std::string& path, std::string& page) {
    page += fmt::format("## {}\n\n{}\n\n", path, command.summary);
    page += fmt::format("`{}`\n\n", usage_of(command, path.substr(5)));
    if (!command.options.empty()) {
        page += "| option | meaning |\n| --- | --- |\n";
        for (const OptionInfo& option : command.options) {
            page +=
                fmt::format("| `{}` | {} |\n", cell(names_of(option)), cell(option.description));
        }
        page += "\n";
    }
    constexpr std::size_t page_width = 88;
    if (!command.footer.empty()) page += "```\n" + footer_of(command, page_width) + "```\n\n";
    for (const CommandInfo& child : command.children) {
        describe(child, path + " " + child.name, page);
    }
}

std::string json_of(const CommandInfo& command) {
    std::string options;
    for (const OptionInfo& option : command.options) {
        std::string names;
        for (const std::string& name : option.names) {
            names += (names.empty() ? "" : ",") + json_string(name);
        }
        options += fmt::format(R"({}{{"names":[{}],"value":{},"description":{}}})",
                               options.empty() ? "" : ",",
                               names,
                               json_string(option.value),
                               json_string(option.description));
    }
    std::string children;
    for (const CommandInfo& child : command.children) {
        children += (children.empty() ? "" : ",") + json_of(child);
    }
    return fmt::format(R"({{"name":{},"summary":{},"options":[{}],"commands":[{}]}})",
                       json_string(command.name),
                       json_string(command.summary),
                       options,
                       children);
}

}  // namespace

std::string help_text(const CommandInfo& command, const std::string& path, std::size_t width) {
    width = std::clamp<std::size_t>(width, 30, 100);
    const std::size_t column = width < 60 ? 6 : 26;
    std::string text = fmt::format("{}: {}\n\nUsage: {}\n",
                                   paint("weir " + path, Tone::strong),
                                   command.summary,
                                   usage_of(command, path));
    std::string words;
    std::string options;
    for (const OptionInfo& option : command.options) {
        std::string& list = option.names.empty() ? words : options;
        list += definition(names_of(option), option.description, column, width);
    }
    std::string children;
    for (const CommandInfo& child : command.children) {
        children += definition(child.name, child.summary, column, width);
    }
    if (!children.empty()) text += "\nCommands:\n" + children;
    if (!words.empty()) text += "\nWords:\n" + words;
    if (!options.empty()) text += "\nOptions:\n" + options;
    return text + "\n" + footer_of(command, width);
}

std::string markdown_reference(const CommandInfo& root) {
    std::string page =
        "# The command line\n\n"
        "Written by `weir help --markdown`; `weir help COMMAND` shows the same for one command.\n"
        "Clients find the hub by `--hub`, else `WEIR_HUB`, else `http://127.0.0.1:8421`. Answers\n"
        "go to standard output, everything else to standard error; colour appears only on a\n"
        "terminal and never when `NO_COLOR` is set.\n\n"
        "Exit status of every command: 0 done, 1 failed, 2 wrong usage or invalid input,\n"
        "3 not found, 4 conflict, 5 no hub, 6 denied, 124 time ran out, 130 interrupted.\n\n";
    for (const CommandInfo& child : root.children)
        describe(child, "weir " + child.name, page);
    while (page.size() > 1 && page[page.size() - 2] == '\n')
        page.pop_back();
    return page;
}

std::string json_reference(const CommandInfo& root) {
    return json_of(root);
}

std::string overview(const CommandInfo& root, std::size_t screen) {
    std::string text =
        fmt::format("{}  {}\n", paint(fmt::format("weir {}", version), Tone::strong), root.summary);
    std::size_t width = 0;
    for (const CommandInfo& child : root.children)
        width = std::max(width, child.name.size());
    std::vector<std::string> groups;
    for (const CommandInfo& child : root.children) {
        if (std::find(groups.begin(), groups.end(), child.group) == groups.end()) {
            groups.push_back(child.group);
        }
    }
    for (const std::string& group : groups) {
        text += "\n" + paint(group, Tone::strong) + "\n";
        for (const CommandInfo& child : root.children) {
            if (child.group != group) continue;
            text += fmt::format("  weir {:<{}}  {}\n",
                                child.name,
                                width,
                                wrapped(child.summary, width + 9, screen));
        }
    }
    return text + "\n" +
           wrapped("`weir help COMMAND` explains one with an example. The first time: weir up",
                   0,
                   screen) +
           "\n";
}

}  // namespace weir::cli
