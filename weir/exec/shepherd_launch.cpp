#include "weir/exec/shepherd_launch.hpp"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weir/exec/shepherd_protocol.hpp"

namespace weir::exec::shepherd {
namespace {

// Walks over NUL-terminated strings; null when none is left or the last one is not terminated.
struct Strings {
    const char* at;
    const char* end;

    const char* next() {
        if (at == end) return nullptr;
        const auto* stop = static_cast<const char*>(memchr(at, 0, static_cast<size_t>(end - at)));
        if (stop == nullptr) return nullptr;
        const char* const text = at;
        at = stop + 1;
        return text;
    }
};

bool number(const char* text, int64_t& value) {
    if (*text == '\0') return false;
    char* rest = nullptr;
    errno = 0;
    value = strtoll(text, &rest, 10);
    return errno == 0 && *rest == '\0';
}

bool same(const char* a, const char* b) {
    return strcmp(a, b) == 0;
}

template <class Item>
bool grow(Item*& items, int count) {
    // Room is doubled at powers of two, so that the capacity need not be kept.
    if (count != 0 && (count & (count - 1)) != 0) return true;
    const size_t room = count == 0 ? 1 : static_cast<size_t>(count) * 2;
    void* const larger = realloc(static_cast<void*>(items), room * sizeof(Item));
    if (larger == nullptr) return false;
    items = static_cast<Item*>(larger);
    return true;
}

bool add_env(LaunchTask& task, const char* entry) {
    if (!grow(task.env, task.env_count)) return false;
    task.env[task.env_count++] = entry;
    return true;
}

const char* check(LaunchPlan& plan) {
    if (plan.task_count == 0) return "the launch description has no task";
    for (int i = 0; i < plan.task_count; ++i) {
        LaunchTask& task = plan.tasks[i];
        if (task.stdout_path == nullptr || task.stderr_path == nullptr) {
            return "a task of the launch description has no output files";
        }
        if (!add_env(task, nullptr)) return "out of memory";
    }
    return nullptr;
}

}  // namespace

const char* read_launch(const char* bytes, uint64_t count, LaunchPlan& plan) {
    Strings strings{bytes, bytes + count};
    const char* const magic = strings.next();
    const char* const version = strings.next();
    if (magic == nullptr || version == nullptr || !same(magic, protocol::launch_magic)) {
        return "the file is not a launch description";
    }
    if (!same(version, "1")) return "the launch description is of another version of weir";

    LaunchTask* task = nullptr;
    while (true) {
        const char* const key = strings.next();
        const char* const value = strings.next();
        if (key == nullptr || value == nullptr) return "the launch description is cut short";
        int64_t whole = 0;
        if (same(key, "end")) {
            return check(plan);
        } else if (same(key, "attempt")) {
            plan.attempt = value;
        } else if (same(key, "workdir")) {
            plan.workdir = value;
        } else if (same(key, "cgroup")) {
            plan.cgroup = value;
        } else if (same(key, "limit_ms") && number(value, whole)) {
            plan.limit_ms = whole;
        } else if (same(key, "grace_ms") && number(value, whole)) {
            plan.grace_ms = whole;
        } else if (same(key, "output_limit") && number(value, whole)) {
            plan.output_limit = whole;
        } else if (same(key, "memory_asked") && number(value, whole)) {
            plan.memory_asked = whole;
        } else if (same(key, "open_files") && number(value, whole)) {
            plan.open_files = whole;
        } else if (same(key, "task") && number(value, whole)) {
            if (whole < 0 || plan.task_count == protocol::tasks_max) {
                return "the launch description has too many tasks";
            }
            if (!grow(plan.tasks, plan.task_count)) return "out of memory";
            task = &plan.tasks[plan.task_count++];
            *task = LaunchTask{};
            task->rank = static_cast<int>(whole);
        } else if (task != nullptr && same(key, "stdout")) {
            task->stdout_path = value;
        } else if (task != nullptr && same(key, "stderr")) {
            task->stderr_path = value;
        } else if (task != nullptr && same(key, "env")) {
            if (!add_env(*task, value)) return "out of memory";
        } else {
            return "the launch description has a key or a number that cannot be understood";
        }
    }
}

}  // namespace weir::exec::shepherd
