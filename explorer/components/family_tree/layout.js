// Where the tree's nodes stand, in pixels: time goes right, lanes go down.
//
// Text keeps its size at every zoom. Rows are laid out so that no names collide at the opening zoom,
// which is 1; zooming in only spreads them.
//
// A row is as high as its letters, and where the window is high, up to half as much again.

import { element } from "../shared.js"

const AIRY = 1.5 // a row's height where there is room, in letters' heights
export const LEFT = 14
export const MARK = 4.5 // radius
const GAP = 6 // between a name and the next mark
const NARROWEST = 780 // that the whole line takes at least at the opening zoom

export class Layout {
  // Of what is drawn, in a frame of this width, in letters of this size; what is higher than the
  // limit is panned. Each node is given the `length` of its name and its `row`.
  constructor(data, width, limit, letters) {
    this.data = data
    this.letters = letters
    this.top = letters + 12 // for the years
    this.head = letters + 4 // for the title of a lane
    this.byId = new Map(data.nodes.map(node => [node.id, node]))
    this.base = Math.max(width, NARROWEST) // how wide the whole line is at the opening zoom
    this.leastZoom = Math.min(1, width / this.base) // at which the whole line fits
    this.limit = limit
    this.measure()
    this.countLinks()
    this.tail = this.roomAtTheEnd()
    this.stack(data.lanes.map((_, lane) => this.fill(data.nodes.filter(node => node.lane === lane))))
  }

  x(at, zoom = 1) {
    const span = this.base * zoom - LEFT - this.tail
    return LEFT + at * Math.max(span, 60)
  }

  y(node) {
    return this.lanes[node.lane].top + this.head + (node.row + 0.5) * this.rowHeight
  }

  measure() {
    const pen = element("canvas").getContext("2d")
    for (const node of this.data.nodes) {
      pen.font = `${node.id === this.data.root ? 700 : 400} ${this.letters}px system-ui, sans-serif`
      node.length = Math.ceil(pen.measureText(node.name).width) + 1
    }
  }

  countLinks() {
    this.parents = new Map(this.data.nodes.map(node => [node.id, []]))
    this.links = new Map(this.data.nodes.map(node => [node.id, 0]))
    for (const [from, to] of this.data.edges) {
      this.parents.get(to).push(from)
      for (const end of [from, to]) this.links.set(end, this.links.get(end) + 1)
    }
  }

  // The names of the newest ones still need their room at the right end.
  roomAtTheEnd() {
    const needs = this.data.nodes.filter(({ at }) => at > 0.5).map(({ at, length }) => {
      const room = LEFT + MARK + GAP + length
      return this.base - LEFT - (this.base - room) / at
    })
    return Math.max(LEFT, ...needs)
  }

  // Give each node a row of its lane in which nothing collides at the opening zoom: the one that is
  // nearest to its parents. A lane has hardly more rows than it needs.
  fill(nodes) {
    const fewest = this.pack(nodes, null)
    return this.pack(nodes, nodes.length > 12 ? fewest + 1 : fewest)
  }

  // Put nodes into rows; with a number of rows, into the one nearest to their parents'.
  pack(nodes, rows) {
    const ends = Array(rows ?? 0).fill(-Infinity) // of each row, in pixels
    for (const node of nodes) {
      const start = this.x(node.at) - MARK - 2
      const free = ends.map((end, row) => [row, end]).filter(([, end]) => end <= start)
      const wish = this.wish(node, ends.length)
      free.sort(([one], [other]) => Math.abs(one - wish) - Math.abs(other - wish))
      node.row = free.length ? free[0][0] : ends.length
      // LLaMA's name is never left away, so it has room when the whole is shown on a phone, too.
      const squeeze = (this.x(1, this.leastZoom) - LEFT) / (this.x(1) - LEFT)
      const room = 2 * MARK + 4 + node.length + GAP
      ends[node.row] = start + (node.id === this.data.root ? room / squeeze : room)
    }
    return ends.length
  }

  wish(node, rows) {
    if (node.id === this.data.root) return (rows - 1) / 2
    const above = this.parents.get(node.id).map(id => this.byId.get(id))
    const beside = above.filter(parent => parent.lane === node.lane).map(parent => parent.row)
    if (beside.length) return beside.reduce((sum, row) => sum + row, 0) / beside.length
    return above.some(parent => parent.lane > node.lane) ? rows - 1 : 0
  }

  // Lanes one below the other. Rows stand closer in a low window; what does not fit even so is
  // reached by panning.
  stack(counts) {
    const rows = counts.reduce((sum, each) => sum + each, 0)
    const room = (this.limit - this.top - 6 - counts.length * (this.head + 6)) / rows
    this.rowHeight = Math.min(AIRY * this.letters, Math.max(this.letters, Math.floor(2 * room) / 2))
    let top = this.top
    this.lanes = counts.map(count => {
      const lane = { top, height: this.head + count * this.rowHeight + 4 }
      top += lane.height + 2
      return lane
    })
    this.height = top + 4
  }
}
