// `weir submit` and `weir run`.
#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <regex>

#include "weir/base/units.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/follow.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/job_text.hpp"
#include "weir/cli/print.hpp"

namespace weir::cli {
namespace {

// One status for all that ended, and a word about each that did not succeed; of an array about the
// first few.
int all_succeeded(HubLink& hub, const std::vector<CountsInfo>& ended) {
    constexpr std::size_t named_max = 5;
    int status = status_ok;
    for (const CountsInfo& counts : ended) {
        if (counts.has_succeeded()) continue;
        status = status_failed;
        const auto failures = hub.failures(counts.id, named_max);
        if (!failures) return report(failures.error());
        for (const JobInfo& job : failures->first)
            note(ending_of(job));
        if (failures->total > failures->first.size()) {
            const std::uint64_t more = failures->total - failures->first.size();
            note(fmt::format("and {} of job {}", format_count(more, "more member"), counts.id));
        }
    }
    return status;
}

// A job description from the options of `weir run`, as a job file would say it: the hub's parser
// checks both, so an option and its key have the same units and the same errors.
std::string description_of(const RunOptions& options) {
    std::vector<std::string> top;
    std::vector<std::string> gang;
    const auto text =
        [](std::vector<std::string>& list, std::string_view key, const std::string& value) {
            if (!value.empty()) list.push_back(fmt::format("\"{}\": {}", key, json_string(value)));
        };
    const auto list_of = [](const std::vector<std::string>& values) {
        std::string list;
        for (const std::string& value : values) {
            list += (list.empty() ? "" : ", ") + json_string(value);
        }
        return "[" + list + "]";
    };
    std::string command;
    for (const std::string& word : options.command) {
        command += (command.empty() ? "" : " ") + shell_quoted(word);
    }
    std::string name = options.name;
    if (name.empty()) {
        // The program's own name, as far as a job name may hold it.
        const std::string& program = options.command.front();
        for (const char c : program.substr(program.rfind('/') + 1)) {
            const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                               (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
            name += plain ? c : '-';
        }
    }
    text(top, "name", name);
    text(top, "tenant", options.tenant);
    text(top, "run", command);
    text(top, "priority", options.priority);
    if (options.replicas > 0) gang.push_back(fmt::format("\"replicas\": {}", options.replicas));
    // Counts are numbers to the parser; whatever else was typed is quoted and named in its error.
    const auto count = [&](std::string_view key, const std::string& value) {
        if (value.empty()) return;
        const bool number = value.find_first_not_of("0123456789.") == std::string::npos &&
                            value.front() != '.' && value.back() != '.' &&
                            (value.size() == 1 || value.front() != '0' || value[1] == '.');
        gang.push_back(fmt::format("\"{}\": {}", key, number ? value : json_string(value)));
    };
    count("chips", options.chips);
    count("cpus", options.cpus);
    text(gang, "memory", options.memory);
    text(gang, "within", options.within);
    const auto joined = [](const std::vector<std::string>& parts) {
        std::string all;
        for (const std::string& part : parts)
            all += (all.empty() ? "" : ", ") + part;
        return all;
    };
    if (!gang.empty()) top.push_back(fmt::format("\"gang\": {{{}}}", joined(gang)));
    if (!options.time.empty()) {
        top.push_back(fmt::format("\"time\": {{\"limit\": {}}}", json_string(options.time)));
    }
    if (!options.any_of.empty()) {
        top.push_back(fmt::format("\"chips\": {{\"any_of\": {}}}", list_of(options.any_of)));
    }
    if (!options.after.empty()) top.push_back("\"after\": " + list_of(options.after));
    return "{" + joined(top) + "}";
}

// The errors of such a description name places in a text that nobody wrote: what its user typed
// were options.
std::string in_options(const std::string& message) {
    static const std::regex place(R"(weir run:\d+:\d+: ([a-z_.]+))");
    static const std::map<std::string, std::string> options{{"name", "--name"},
                                                            {"tenant", "--tenant"},
                                                            {"run", "COMMAND"},
                                                            {"priority", "--priority"},
                                                            {"gang.replicas", "--replicas"},
                                                            {"gang.chips", "--chips"},
                                                            {"gang.cpus", "--cpus"},
                                                            {"gang.memory", "--memory"},
                                                            {"gang.within", "--within"},
                                                            {"time.limit", "--time"},
                                                            {"chips.any_of", "--any-of"},
                                                            {"after", "--after"}};
    std::string text;
    auto rest = message.begin();
    for (std::sregex_iterator it(message.begin(), message.end(), place), end; it != end; ++it) {
        const std::smatch& found = *it;
        text.append(rest, found[0].first);
        const auto option = options.find(found[1].str());
        text += option == options.end() ? found[1].str() : option->second;
        rest = found[0].second;
    }
    return text.append(rest, message.end());
}

void print_notes(const SubmittedInfo& submitted) {
    for (const std::string& sentence : submitted.notes) {
        note(fmt::format("job {}: {}", submitted.id, sentence));
    }
    if (submitted.repeated) {
        note(fmt::format("job {} was submitted before with this key; nothing new was made",
                         submitted.id));
    }
}

// Slurm's sbatch takes the words behind a script for the script's arguments; here they are files,
// since a submission may have several.
Error with_hint(Error error, const std::vector<JobText>& before, const SubmitOptions& options) {
    if (before.empty() || before.front().format != "sbatch") return error;
    std::string words;
    for (std::size_t at = 1; at < options.files.size(); ++at)
        words += " " + shell_quoted(options.files[at]);
    error.message += fmt::format("; arguments of a script stand behind --: weir submit {} --{}",
                                 shell_quoted(options.files.front()),
                                 words);
    return error;
}

}  // namespace

int submit(const SubmitOptions& options) {
    std::vector<JobText> jobs;
    for (const std::string& file : options.files) {
        auto job = read_job_text_file(file);
        if (!job) return report(with_hint(std::move(job).error(), jobs, options));
        if (!options.key.empty()) {
            // One key names the whole batch; each job of it needs one of its own.
            job->key =
                jobs.empty() ? options.key : fmt::format("{}#{}", options.key, jobs.size() + 1);
        }
        if (job->format == "sbatch") job->args = options.args;
        jobs.push_back(std::move(*job));
    }
    const auto folder = current_folder();
    if (!folder) return report(folder.error());

    HubLink hub(hub_url(options.common.hub));
    const auto answer = submit_texts(hub, std::move(jobs), options.environment, *folder);
    if (!answer) return report(answer.error());
    std::vector<std::string> ids;
    for (const SubmittedInfo& submitted : answer->value) {
        print_notes(submitted);
        ids.push_back(submitted.id);
        if (!options.common.json) out(submitted.id + "\n");
    }
    if (!options.wait) {
        if (options.common.json) out_json(answer->json);
        if (!options.common.json && ::isatty(1) == 1 && ::isatty(2) == 1) {
            note(fmt::format("accepted; `weir logs -f {}` follows it", ids.front()));
        }
        return status_ok;
    }
    count_interrupts();
    const auto ended = wait_for(hub, ids, std::nullopt);
    if (!ended) return report(ended.error());
    if (!*ended) {
        note("left waiting; the jobs go on");
        return status_interrupted;
    }
    if (options.common.json) {
        std::vector<std::string> answers;
        for (const std::string& id : ids) {
            const auto job = hub.job(id);
            if (job) answers.push_back(job->json);
        }
        out_json(joined_jobs_json(answers));
    }
    return all_succeeded(hub, **ended);
}

int run(const RunOptions& options) {
    const auto folder = current_folder();
    if (!folder) return report(folder.error());
    JobText job;
    job.format = "yaml";
    job.source = "weir run";
    job.key = options.key;
    job.text = description_of(options);

    HubLink hub(hub_url(options.common.hub));
    // From here on Ctrl-C must not leave an accepted job behind unseen.
    if (!options.detach) count_interrupts();
    const auto answer = submit_texts(hub, {job}, options.environment, *folder);
    if (!answer) return report({answer.error().code, in_options(answer.error().message)});
    const SubmittedInfo& submitted = answer->value.front();
    // Standard error belongs to the command unless a person reads it.
    if (::isatty(2) == 1) print_notes(submitted);
    if (options.detach) {
        if (options.common.json) {
            out_json(answer->json);
        } else {
            out(submitted.id + "\n");
        }
        return status_ok;
    }

    // With --json standard output is the answer's; what the job wrote stays in its files.
    if (options.common.json) {
        const auto ended = wait_for(hub, {submitted.id}, std::nullopt);
        if (!ended) return report(ended.error());
        if (!*ended) {
            const auto cancelled = hub.cancel(submitted.id);
            if (!cancelled) return report(cancelled.error());
            return status_interrupted;
        }
        const auto detail = hub.job(submitted.id);
        if (!detail) return report(detail.error());
        out_json(detail->json);
        return exit_status_of(detail->value.front());
    }
    FollowOptions how;
    how.cancel_on_interrupt = true;
    const auto followed = follow(hub, submitted.id, how);
    if (!followed) return report(followed.error());
    const JobInfo& ended = followed->jobs.front();
    if (followed->interrupted && !ended.is_final()) {
        note(fmt::format("left job {}; `weir show {}` tells how it ends", ended.id, ended.id));
        return status_interrupted;
    }
    if (ended.state != "succeeded") note(ending_of(ended));
    return exit_status_of(ended);
}

}  // namespace weir::cli
