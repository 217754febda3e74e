// FakeMover: a mover whose moves end when the test says so. For tests only.
//
// Like the real one it survives the hub; unlike it, it forgets what it was busy with when the test
// says that the process died (crash()).
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "weir/exec/mover.hpp"

namespace weir::hub {

class FakeMover : public exec::Mover {
public:
    void begin(const exec::Move& move) override {
        if (on_call) on_call("move");
        if (under_way.emplace(std::pair{move.dataset, move.to}, move).second) begun.push_back(move);
    }
    void remove(const std::string& dataset, const std::string& site) override {
        if (on_call) on_call("remove");
        if (files.erase({dataset, site}) > 0) removed.push_back(dataset + " at " + site);
    }
    bool has(const std::string& dataset, const std::string& site) override {
        return files.count({dataset, site}) > 0;
    }
    bool is_made(const std::string& path) override { return missing.count(path) == 0; }
    [[nodiscard]] std::string folder_of(const std::string& site) const override {
        return "/storage/" + site;
    }

    // What the world does. Each ends a move that is under way and returns the report of it.
    exec::MoveEnd finish(const std::string& dataset, const std::string& to, Bytes size = {}) {
        under_way.erase({dataset, to});
        files.insert({dataset, to});
        return {.dataset = dataset, .to = to, .problem = {}, .size = size};
    }
    exec::MoveEnd fail(const std::string& dataset, const std::string& to, std::string problem) {
        under_way.erase({dataset, to});
        return {.dataset = dataset, .to = to, .problem = std::move(problem), .size = {}};
    }
    void crash() { under_way.clear(); }

    std::map<std::pair<std::string, std::string>, exec::Move> under_way;
    std::vector<exec::Move> begun;  // in order; again after a crash
    std::set<std::pair<std::string, std::string>> files;
    std::set<std::string> missing;  // paths at which a job made nothing
    std::vector<std::string> removed;
    std::function<void(const char*)> on_call;
};

}  // namespace weir::hub
