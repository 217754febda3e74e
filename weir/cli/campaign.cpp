#include "weir/cli/campaign.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>

#include "weir/base/text_table.hpp"
#include "weir/cli/follow.hpp"
#include "weir/cli/job_text.hpp"
#include "weir/cli/print.hpp"
#include "weir/cli/progress.hpp"

namespace weir::cli {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// The members of one job file: one, or as many as its array has.
struct Entry {
    std::string id;
    std::string name;
    std::vector<JobInfo> jobs;
};

std::size_t count_final(const std::vector<JobInfo>& jobs) {
    return static_cast<std::size_t>(
        std::count_if(jobs.begin(), jobs.end(), [](const JobInfo& job) { return job.is_final(); }));
}

bool all_succeeded(const std::vector<JobInfo>& jobs) {
    return std::all_of(
        jobs.begin(), jobs.end(), [](const JobInfo& job) { return job.state == "succeeded"; });
}

// "running", or for an array "3 succeeded, 4 running, 5 pending".
std::string states_of(const std::vector<JobInfo>& jobs) {
    if (jobs.size() == 1) return jobs.front().state;
    std::vector<std::pair<std::string, std::size_t>> counts;
    for (const JobInfo& job : jobs) {
        const auto known = std::find_if(counts.begin(), counts.end(), [&](const auto& count) {
            return count.first == job.state;
        });
        if (known == counts.end()) {
            counts.emplace_back(job.state, 1);
        } else {
            ++known->second;
        }
    }
    if (counts.size() == 1) return counts.front().first;
    std::string text;
    for (const auto& [state, count] : counts) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, state);
    }
    return text;
}

std::optional<std::int64_t> first_start(const std::vector<JobInfo>& jobs) {
    std::optional<std::int64_t> first;
    for (const JobInfo& job : jobs) {
        if (job.started_at_ms && (!first || *job.started_at_ms < *first)) first = job.started_at_ms;
    }
    return first;
}

std::optional<std::int64_t> last_end(const std::vector<JobInfo>& jobs) {
    std::optional<std::int64_t> last;
    for (const JobInfo& job : jobs) {
        if (!job.ended_at_ms) return std::nullopt;
        if (!last || *job.ended_at_ms > *last) last = job.ended_at_ms;
    }
    return last;
}

// The last lines of a file, without reading what stands before them.
std::vector<std::string> tail_of(const std::string& path, std::size_t lines) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return {};
    file.seekg(0, std::ios::end);
    const std::streamoff size = file.tellg();
    file.seekg(std::max<std::streamoff>(0, size - 16384));
    std::vector<std::string> all;
    for (std::string text; std::getline(file, text);)
        all.push_back(text);
    if (all.size() > lines) all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(lines));
    return all;
}

const TaskInfo* first_task(const JobInfo& job) {
    if (job.attempts.empty() || job.attempts.back().tasks.empty()) return nullptr;
    return &job.attempts.back().tasks.front();
}

// What a job has to say for itself: the last line that it wrote.
std::string result_of(const Entry& entry) {
    if (entry.jobs.size() > 1) {
        const auto good =
            std::count_if(entry.jobs.begin(), entry.jobs.end(), [](const JobInfo& job) {
                return job.state == "succeeded";
            });
        return fmt::format("{} of {} members succeeded", good, entry.jobs.size());
    }
    const JobInfo& job = entry.jobs.front();
    if (job.state != "succeeded") return job.reason;
    const TaskInfo* task = first_task(job);
    if (task == nullptr) return "";
    const auto lines = tail_of(task->stdout_path, 20);
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
        const std::size_t begin = line->find_first_not_of(" \t\r");
        if (begin != std::string::npos) return line->substr(begin);
    }
    return "";
}

std::string exit_cell(const Entry& entry) {
    int worst = 0;
    for (const JobInfo& job : entry.jobs) {
        if (!job.is_final() || (job.state == "cancelled" && !job.started_at_ms)) return "-";
        worst = std::max(worst, exit_status_of(job));
    }
    return std::to_string(worst);
}

class Display {
public:
    explicit Display(std::string title) : title_(std::move(title)), terminal_(::isatty(2) == 1) {}

    void show(const std::vector<Entry>& entries) {
        if (terminal_) {
            redraw(entries);
        } else {
            say_changes(entries);
        }
    }

    void wipe() {
        if (terminal_ && lines_ > 0) {
            static_cast<void>(write_all(2, fmt::format("\x1b[{}A\r\x1b[J", lines_)));
        }
        lines_ = 0;
    }

private:
    [[nodiscard]] std::string passed() const {
        const auto time = std::chrono::steady_clock::now() - began_;
        return duration_cell(std::chrono::duration_cast<milliseconds>(time).count());
    }

    void redraw(const std::vector<Entry>& entries) {
        std::size_t done = 0;
        std::size_t all = 0;
        std::size_t name_width = 0;
        for (const Entry& entry : entries) {
            done += count_final(entry.jobs);
            all += entry.jobs.size();
            name_width = std::max(name_width, display_width(entry.name));
        }
        const std::size_t width = std::max<std::size_t>(terminal_width(2), 20) - 1;
        const double part = all == 0 ? 0 : static_cast<double>(done) / static_cast<double>(all);
        std::string text = shorten(
            fmt::format("{} {} {}/{} jobs  {}", title_, bar(part, 24), done, all, passed()), width);
        text += "\n";
        const std::optional<std::int64_t> now = now_ms();
        for (const Entry& entry : entries) {
            const std::string states = states_of(entry.jobs);
            const auto started = first_start(entry.jobs);
            std::string behind;
            if (started) {
                const auto ended = last_end(entry.jobs);
                behind = duration_cell(started, ended ? ended : now);
            } else if (!entry.jobs.empty()) {
                behind = entry.jobs.front().reason;
            }
            const std::string name =
                entry.name + std::string(name_width - display_width(entry.name), ' ');
            // Cut before it is coloured: the codes take no columns.
            const std::string front = fmt::format("  {:>4}  {}  ", entry.id, name);
            const std::size_t room = width - std::min(width, display_width(front));
            const std::string rest = shorten(fmt::format("{:<10}  {}", states, behind), room);
            const std::size_t state_end = std::min(states.size(), rest.size());
            text += front + paint(rest.substr(0, state_end), tone_of(entry), 2) +
                    rest.substr(state_end) + "\n";
        }
        wipe();
        static_cast<void>(write_all(2, text));
        lines_ = entries.size() + 1;
    }

    static Tone tone_of(const Entry& entry) {
        if (entry.jobs.empty()) return Tone::plain;
        if (all_succeeded(entry.jobs)) return Tone::good;
        for (const JobInfo& job : entry.jobs) {
            if (tone_of_state(job.state) == Tone::bad) return Tone::bad;
        }
        for (const JobInfo& job : entry.jobs) {
            if (tone_of_state(job.state) == Tone::busy) return Tone::busy;
        }
        return Tone::waiting;
    }

    void say_changes(const std::vector<Entry>& entries) {
        for (const Entry& entry : entries) {
            const std::string states = states_of(entry.jobs);
            std::string& said = said_[entry.id];
            if (said == states) continue;
            said = states;
            note(fmt::format("[{}] {} {}: {}", passed(), entry.id, entry.name, states));
        }
    }

    std::string title_;
    bool terminal_ = false;
    std::size_t lines_ = 0;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    std::map<std::string, std::string> said_;
};

Result<std::vector<JobText>> texts_of(const std::string& folder) {
    std::error_code problem;
    std::vector<std::string> files;
    for (const auto& file : fs::directory_iterator(folder, problem)) {
        if (file.path().extension() == ".yaml") files.push_back(file.path().string());
    }
    if (problem) {
        return fail(Code::not_found,
                    fmt::format("{}: cannot be listed: {}", folder, problem.message()));
    }
    if (files.empty()) {
        return fail(Code::not_found, fmt::format("{}: holds no *.yaml file", folder));
    }
    std::sort(files.begin(), files.end());
    std::vector<JobText> texts;
    for (const std::string& file : files) {
        WEIR_TRY(JobText text, read_job_text_file(file));
        texts.push_back(std::move(text));
    }
    return texts;
}

void print_results(const std::vector<Entry>& entries) {
    TextTable table({{"job", true},
                     {"name"},
                     {"owner", false, true},
                     {"state"},
                     {"wait", true},
                     {"run", true},
                     {"exit", true},
                     {"result", false, true}});
    for (const Entry& entry : entries) {
        const auto started = first_start(entry.jobs);
        table.row(
            {entry.id,
             entry.name,
             entry.jobs.front().tenant,
             entry.jobs.size() == 1 || all_succeeded(entry.jobs) ? states_of(entry.jobs) : "failed",
             duration_cell(entry.jobs.front().submitted_at_ms, started),
             duration_cell(started, last_end(entry.jobs)),
             exit_cell(entry),
             result_of(entry)});
    }
    out(paint_column(table.text(output_width()), "state", tone_of_state));
}

// Why it failed, where people look first.
void print_failures(const std::vector<Entry>& entries) {
    for (const Entry& entry : entries) {
        std::size_t shown = 0;
        for (const JobInfo& job : entry.jobs) {
            const TaskInfo* task = first_task(job);
            // Of a large array the first failures tell the story.
            if (job.state == "succeeded" || task == nullptr || ++shown > 3) continue;
            for (const std::string& path : {task->stdout_path, task->stderr_path}) {
                const auto lines = tail_of(path, 15);
                if (lines.empty()) continue;
                std::string text = fmt::format(
                    "\n{}\n",
                    paint(fmt::format("{} ({}), end of {}", job.id, job.name, path), Tone::strong));
                for (const std::string& line : lines)
                    text += "    " + line + "\n";
                out(text);
                if (task->stdout_path == task->stderr_path) break;
            }
        }
    }
}

}  // namespace

Result<CampaignEnd> run_campaign(HubLink& hub, const std::string& folder, bool json) {
    std::error_code problem;
    const fs::path path = fs::absolute(folder, problem).lexically_normal();
    WEIR_TRY(std::vector<JobText> texts, texts_of(path.string()));
    WEIR_TRY(const auto submitted, submit_texts(hub, std::move(texts), "all", path.string()));

    std::vector<Entry> entries;
    std::vector<Watched> watched;
    for (const SubmittedInfo& job : submitted.value) {
        for (const std::string& sentence : job.notes)
            note(fmt::format("job {}: {}", job.id, sentence));
        entries.push_back({job.id, "", {}});
        watched.emplace_back(hub, job.id);
    }
    const std::string name = (path.has_filename() ? path : path.parent_path()).filename().string();
    Display display("campaign " + name);
    Patience patience;
    for (;;) {
        bool ended = true;
        for (std::size_t at = 0; at < entries.size(); ++at) {
            if (watched[at].ended()) continue;
            auto looked = watched[at].look();
            while (!looked && patience.wait_after(looked.error()))
                looked = watched[at].look();
            if (!looked) return fail(std::move(looked).error());
            patience.answered();
            entries[at].jobs = watched[at].jobs();
            entries[at].name = entries[at].jobs.front().name;
            ended = ended && watched[at].ended();
        }
        display.show(entries);
        if (ended) break;
        if (interrupts() > 0) return CampaignEnd::interrupted;
        nap(milliseconds(300));
    }
    display.wipe();
    if (json) {
        std::vector<std::string> answers;
        for (const Entry& entry : entries) {
            WEIR_TRY(auto answer, hub.job(entry.id));
            answers.push_back(std::move(answer.json));
        }
        out_json(joined_jobs_json(answers));
    } else {
        print_results(entries);
        print_failures(entries);
    }
    const bool good = std::all_of(entries.begin(), entries.end(), [](const Entry& entry) {
        return all_succeeded(entry.jobs);
    });
    return good ? CampaignEnd::succeeded : CampaignEnd::failed;
}

}  // namespace weir::cli
