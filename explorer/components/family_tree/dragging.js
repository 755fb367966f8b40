// Panning with a held mouse, and zooming with two fingers; one finger pans by itself.
export class Dragging {
  fingers = new Map() // pointerId -> x

  constructor(view) {
    const { scroll } = view
    this.view = view
    scroll.addEventListener("pointerdown", event => this.down(event))
    scroll.addEventListener("pointermove", event => this.move(event))
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
      scroll.addEventListener(end, event => this.up(event))
    }
  }

  down(event) {
    this.view.wasDragged = false
    this.fingers.set(event.pointerId, event.clientX)
    this.gap = this.spread()
    const { scrollLeft, scrollTop } = this.view.scroll
    this.start = { x: event.clientX, y: event.clientY, left: scrollLeft, top: scrollTop }
  }

  move(event) {
    if (!this.fingers.has(event.pointerId)) return
    this.fingers.set(event.pointerId, event.clientX)
    const { view } = this
    if (this.fingers.size === 2) {
      const gap = this.spread()
      const middle = [...this.fingers.values()].reduce((sum, x) => sum + x, 0) / 2
      if (this.gap) view.zoomBy(gap / this.gap, middle - view.scroll.getBoundingClientRect().left)
      this.gap = gap
      view.wasDragged = true
    } else if (event.pointerType === "mouse" && event.buttons === 1) {
      const [right, down] = [event.clientX - this.start.x, event.clientY - this.start.y]
      if (Math.hypot(right, down) > 4) view.wasDragged = true
      if (!view.wasDragged) return
      view.scroll.classList.add("dragged")
      view.scroll.scrollTo({ left: this.start.left - right, top: this.start.top - down })
    }
  }

  up(event) {
    this.fingers.delete(event.pointerId)
    this.gap = this.spread()
    this.view.scroll.classList.remove("dragged")
  }

  spread() {
    const [one, other] = this.fingers.values()
    return this.fingers.size === 2 ? Math.max(10, Math.abs(one - other)) : null
  }
}
