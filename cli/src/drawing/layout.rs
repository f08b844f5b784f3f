//! A layered layout: a column for each depth, the order within a column by the mean place of the neighbours, and heights that
//! bring neighbours close (Sugiyama's method, without its refinements). An edge over several columns bends in each.

/// The most bends of all edges together; past it, long edges are straight.
const MAX_BENDS: usize = 50_000;

/// The number of times that all columns are put in order, and then moved towards their neighbours.
const SWEEPS: usize = 24;

/// The gap between two boxes of a column, and between two edges that pass through it.
const GAP: f64 = 18.0;

/// A point: to the right, and down.
pub(super) type Point = (f64, f64);

/// What is to be placed: boxes in columns, and edges between them.
pub(super) struct Boxes<'b> {
    /// The boxes of each column, from left to right.
    pub(super) columns: Vec<Vec<usize>>,
    /// The width and the height of each box.
    pub(super) sizes: &'b [(f64, f64)],
    /// The edges, each to a box in a later column.
    pub(super) edges: &'b [(usize, usize)],
    /// The gap between two columns.
    pub(super) column_gap: f64,
}

/// Where all of it is.
pub(super) struct Layout {
    /// The top left corner of each box.
    pub(super) corners: Vec<Point>,
    /// The points of each edge, from the right side of a box to the left side of another. Between the first and the second
    /// there is a gap of columns to cross, between the second and the third a column, and so on.
    pub(super) routes: Vec<Vec<Point>>,
    /// The width and the height of the whole.
    pub(super) size: Point,
}

/// A box, or a bend of an edge.
struct Item {
    height: f64,
    before: Vec<usize>,
    after: Vec<usize>,
}

/// Places boxes and edges.
pub(super) fn layout(boxes: &Boxes<'_>) -> Layout {
    let mut column_of = vec![0; boxes.sizes.len()];
    for (column, members) in boxes.columns.iter().enumerate() {
        members.iter().for_each(|at| column_of[*at] = column);
    }
    let mut columns = boxes.columns.clone();
    let mut items: Vec<Item> = boxes.sizes.iter().map(|(_, height)| Item::new(*height)).collect();
    let span = |(from, to): &(usize, usize)| column_of[*to] - column_of[*from] - 1;
    let has_bends = boxes.edges.iter().map(span).sum::<usize>() <= MAX_BENDS;
    let mut chains = Vec::with_capacity(boxes.edges.len());
    for edge in boxes.edges {
        let mut chain = vec![edge.0];
        for column in &mut columns[column_of[edge.0] + 1..column_of[edge.1]] {
            if has_bends {
                chain.push(items.len());
                column.push(items.len());
                items.push(Item::new(0.0));
            }
        }
        chain.push(edge.1);
        for pair in chain.windows(2) {
            items[pair[0]].after.push(pair[1]);
            items[pair[1]].before.push(pair[0]);
        }
        chains.push(chain);
    }
    put_in_order(&mut columns, &items);
    let middles = middles(&columns, &items);
    let (lefts, width) = lefts(boxes);
    let tops = middles.iter().zip(&items).map(|(middle, item)| middle - item.height / 2.0);
    let top = tops.clone().fold(f64::INFINITY, f64::min);
    let bottom = middles.iter().zip(&items).map(|(middle, item)| middle + item.height / 2.0);
    let bottom = bottom.fold(f64::NEG_INFINITY, f64::max);
    let corners =
        tops.take(boxes.sizes.len()).enumerate().map(|(at, y)| (lefts[column_of[at]], y - top)).collect();
    let route = |chain: &Vec<usize>| {
        let (first, last) = (chain[0], chain[chain.len() - 1]);
        let mut points = vec![(lefts[column_of[first]] + boxes.sizes[first].0, middles[first] - top)];
        for (column, bend) in (column_of[first] + 1..).zip(&chain[1..chain.len() - 1]) {
            let y = middles[*bend] - top;
            points.extend([(lefts[column], y), (lefts[column + 1] - boxes.column_gap, y)]);
        }
        points.push((lefts[column_of[last]], middles[last] - top));
        points
    };
    Layout { corners, routes: chains.iter().map(route).collect(), size: (width, (bottom - top).max(0.0)) }
}

impl Item {
    fn new(height: f64) -> Self {
        Self { height, before: Vec::new(), after: Vec::new() }
    }
}

/// The left side of each column, and the right side of the last.
fn lefts(boxes: &Boxes<'_>) -> (Vec<f64>, f64) {
    let mut left = 0.0;
    let mut lefts = Vec::with_capacity(boxes.columns.len());
    for members in &boxes.columns {
        lefts.push(left);
        left += members.iter().map(|at| boxes.sizes[*at].0).fold(0.0, f64::max) + boxes.column_gap;
    }
    (lefts, (left - boxes.column_gap).max(0.0))
}

/// Puts each column in the order of the mean place of its neighbours: of those on the left, then of those on the right.
fn put_in_order(columns: &mut [Vec<usize>], items: &[Item]) {
    let mut places = vec![0.0; items.len()];
    for sweep in 0..=SWEEPS {
        let from_left = sweep % 2 == 0;
        for step in 0..columns.len() {
            let at = if from_left { step } else { columns.len() - 1 - step };
            let column = &mut columns[at];
            for (place, item) in column.iter().enumerate() {
                let neighbours = if from_left { &items[*item].before } else { &items[*item].after };
                // Nobody's neighbour stays where it is.
                places[*item] = mean(neighbours.iter().map(|other| places[*other])).unwrap_or(place as f64);
            }
            column.sort_by(|one, other| places[*one].total_cmp(&places[*other]));
            column.iter().enumerate().for_each(|(place, item)| places[*item] = place as f64);
        }
    }
}

/// The middle of each item: as near to those of its neighbours as the order and the gaps allow.
fn middles(columns: &[Vec<usize>], items: &[Item]) -> Vec<f64> {
    let mut middles = vec![0.0; items.len()];
    for sweep in 0..=SWEEPS {
        for step in 0..columns.len() {
            let column = &columns[if sweep % 2 == 0 { step } else { columns.len() - 1 - step }];
            let mut offset = 0.0;
            let mut wanted = Vec::with_capacity(column.len());
            let mut offsets = Vec::with_capacity(column.len());
            for (place, at) in column.iter().enumerate() {
                let item = &items[*at];
                if place > 0 {
                    offset += GAP + (items[column[place - 1]].height + item.height) / 2.0;
                }
                let neighbours = item.before.iter().chain(item.after.iter().filter(|_| sweep > 0));
                wanted.push(mean(neighbours.map(|other| middles[*other])).unwrap_or(middles[*at]) - offset);
                offsets.push(offset);
            }
            for ((at, middle), offset) in column.iter().zip(rising(&wanted)).zip(offsets) {
                middles[*at] = middle + offset;
            }
        }
    }
    middles
}

/// The numbers that never fall and are nearest to `wanted`, by the sum of squares (pool adjacent violators).
fn rising(wanted: &[f64]) -> Vec<f64> {
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for number in wanted {
        blocks.push((*number, 1));
        while let [.., (before, _), (last, _)] = blocks.as_slice()
            && before > last
            && let (Some((last, count)), Some((before, others))) = (blocks.pop(), blocks.pop())
        {
            let sum = last * count as f64 + before * others as f64;
            blocks.push((sum / (count + others) as f64, count + others));
        }
    }
    blocks.into_iter().flat_map(|(number, count)| std::iter::repeat_n(number, count)).collect()
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), number| (sum + number, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falls_is_levelled_and_what_rises_stays() {
        assert_eq!(rising(&[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
        assert_eq!(rising(&[3.0, 1.0, 5.0]), [2.0, 2.0, 5.0]);
        assert_eq!(rising(&[3.0, 2.0, 1.0]), [2.0, 2.0, 2.0]);
        assert_eq!(rising(&[]), [] as [f64; 0]);
    }

    #[test]
    fn crossed_neighbours_are_uncrossed() {
        let mut columns = vec![vec![0, 1], vec![2, 3]];
        let mut items: Vec<Item> = (0..4).map(|_| Item::new(1.0)).collect();
        for (from, to) in [(0, 3), (1, 2)] {
            items[from].after.push(to);
            items[to].before.push(from);
        }
        put_in_order(&mut columns, &items);
        assert_eq!(columns, [[0, 1], [3, 2]]);
    }

    #[test]
    fn a_long_edge_bends_around_the_box_between() {
        let sizes = [(40.0, 20.0); 3];
        let columns = vec![vec![0], vec![1], vec![2]];
        let boxes = Boxes { columns, sizes: &sizes, edges: &[(0, 1), (1, 2), (0, 2)], column_gap: 30.0 };
        let layout = layout(&boxes);
        assert_eq!(layout.corners.iter().map(|corner| corner.0).collect::<Vec<_>>(), [0.0, 70.0, 140.0]);
        assert_eq!((layout.routes[0].len(), layout.routes[2].len(), layout.size.0), (2, 4, 180.0));
        let (top, bend) = (layout.corners[1].1, layout.routes[2][1].1);
        assert!(bend <= top - GAP / 2.0 || bend >= top + 20.0 + GAP / 2.0, "{bend} {top}");
    }
}
