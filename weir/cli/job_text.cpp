#include "weir/cli/job_text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "weir/base/text_file.hpp"

extern char** environ;

namespace weir::cli {
namespace {

bool in(std::string_view name, std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool starts_with(std::string_view text, std::string_view beginning) {
    return text.substr(0, beginning.size()) == beginning;
}

// Names that only mean something to the shell or terminal they come from.
bool belongs_to_terminal(std::string_view name) {
    return in(name,
              {"_",
               "PWD",
               "OLDPWD",
               "SHLVL",
               "TERM",
               "COLUMNS",
               "LINES",
               "WINDOWID",
               "TTY",
               "SSH_TTY",
               "SSH_CLIENT",
               "SSH_CONNECTION",
               "SSH_AUTH_SOCK",
               "STY",
               "TMUX",
               "TMUX_PANE",
               "DISPLAY",
               "XAUTHORITY",
               "DBUS_SESSION_BUS_ADDRESS",
               "WEIR_HUB"}) ||
           starts_with(name, "BASH_FUNC_");
}

bool is_basic(std::string_view name) {
    return in(name,
              {"PATH",
               "HOME",
               "USER",
               "LOGNAME",
               "SHELL",
               "LANG",
               "LANGUAGE",
               "TZ",
               "TMPDIR",
               "LD_LIBRARY_PATH",
               "PYTHONPATH",
               "VIRTUAL_ENV",
               "MODULEPATH",
               "LOADEDMODULES"}) ||
           starts_with(name, "LC_") || starts_with(name, "CONDA_");
}

}  // namespace

std::string_view format_of(std::string_view text) {
    if (starts_with(text, "#!")) return "sbatch";
    for (std::size_t at = 0; at != std::string_view::npos && at < text.size();) {
        if (starts_with(text.substr(at), "#SBATCH")) return "sbatch";
        const std::size_t end = text.find('\n', at);
        at = end == std::string_view::npos ? end : end + 1;
    }
    return "yaml";
}

Result<JobText> read_job_text_file(const std::string& path) {
    JobText job;
    job.source = path == "-" ? "standard input" : path;
    WEIR_TRY(job.text, read_text_file(path, job_text_bytes_max));
    if (job.text.find_first_not_of(" \t\r\n") == std::string::npos) {
        return fail(Code::invalid, job.source + ": is empty; a job needs at least `run: COMMAND`");
    }
    job.format = format_of(job.text);
    return job;
}

Result<std::map<std::string, std::string>> chosen_environment(const std::string& choice) {
    std::map<std::string, std::string> chosen;
    if (choice == "none") return chosen;
    std::vector<std::string> names;
    if (choice != "all" && choice != "basic") {
        for (std::size_t at = 0; at <= choice.size();) {
            const std::size_t end = std::min(choice.find(',', at), choice.size());
            names.push_back(choice.substr(at, end - at));
            if (names.back().empty() || names.back().find('=') != std::string::npos) {
                return fail(
                    Code::invalid,
                    fmt::format("--export {}: \"{}\" is no name; valid are all, basic, none, "
                                "or names of variables with commas between",
                                choice,
                                names.back()));
            }
            at = end + 1;
        }
    }
    for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
        const std::string_view entry = *at;
        const std::size_t equals = entry.find('=');
        if (equals == std::string_view::npos || equals == 0) continue;
        const std::string_view name = entry.substr(0, equals);
        const bool wanted = choice == "all" ? !belongs_to_terminal(name)
                            : choice == "basic"
                                ? is_basic(name)
                                : std::find(names.begin(), names.end(), name) != names.end();
        if (wanted) chosen.emplace(name, entry.substr(equals + 1));
    }
    return chosen;
}

std::string current_user() {
    struct passwd entry = {};
    struct passwd* found = nullptr;
    std::string buffer(4096, '\0');
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
        found != nullptr) {
        return found->pw_name;
    }
    return fmt::format("uid{}", ::geteuid());
}

Result<std::string> current_folder() {
    char buffer[PATH_MAX];
    if (::getcwd(buffer, sizeof buffer) == nullptr) {
        return fail(Code::io,
                    fmt::format("the current folder cannot be told: {}", std::strerror(errno)));
    }
    return std::string(buffer);
}

Result<Answer<std::vector<SubmittedInfo>>> submit_texts(HubLink& hub,
                                                        std::vector<JobText> jobs,
                                                        const std::string& environment,
                                                        const std::string& workdir) {
    SubmitRequest request;
    request.user = current_user();
    request.workdir = workdir;
    std::string choice = environment;
    if (choice.empty()) {
        const bool scripts = std::any_of(
            jobs.begin(), jobs.end(), [](const JobText& job) { return job.format == "sbatch"; });
        choice = scripts ? "all" : "basic";
    }
    WEIR_TRY(request.env, chosen_environment(choice));
    request.jobs = std::move(jobs);
    return hub.submit(request);
}

}  // namespace weir::cli
