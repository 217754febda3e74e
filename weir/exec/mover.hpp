// Mover: the port to whatever brings datasets to sites, and takes them away.
//
// A dataset is a file or folder that never changes. At a site it is there whole or not at all: what
// is on its way is nowhere to be seen. begin() is idempotent while a move goes on, and after a
// crash of the hub the same move is begun anew; how it ended comes back as a MoveEnd through the
// callback, from any thread. Who wants another try after a failure begins again.
#pragma once

#include <functional>
#include <string>

#include "weir/base/units.hpp"

namespace weir::exec {

// A dataset is to lie at a site, by the names of both.
struct Move {
    std::string dataset;
    std::string to;
    std::string from;  // the site that has it; "" = a job has made it, at `path`
    std::string path;  // absolute; afterwards a link to the dataset is there
    friend bool operator==(const Move&, const Move&) = default;
};

struct MoveEnd {
    std::string dataset;
    std::string to;
    std::string problem;  // why it is not there, for people; "" = it is
    Bytes size;           // if it is
};

using OnMoved = std::function<void(const MoveEnd&)>;

class Mover {
public:
    virtual ~Mover() = default;
    virtual void begin(const Move& move) = 0;
    // It is gone for everybody at once; its room comes back by and by. Nothing happens where it is
    // not, and a move of it to that site that was begun before comes first.
    virtual void remove(const std::string& dataset, const std::string& site) = 0;
    // Whether it lies there now.
    virtual bool has(const std::string& dataset, const std::string& site) = 0;
    // Whether a job that has just ended made a file or folder there. Quick: the hub waits for it.
    virtual bool is_made(const std::string& path) = 0;
    // Where jobs at a site find its datasets, each by its name; "" = nowhere.
    [[nodiscard]] virtual std::string folder_of(const std::string& site) const = 0;
};

}  // namespace weir::exec
