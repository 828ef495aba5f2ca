// Functions of Rust with arguments and results of every kind. The program prints what each call must
// show, in the words of utrace analyze --flow.
use std::fmt::Write;

// Hides from the compiler what a value is, as std::hint::black_box does, which is optimised even where the program is not.
#[inline(always)]
fn hidden<T>(v: T) -> T {
    let copy = unsafe { std::ptr::read_volatile(&v) };
    std::mem::forget(v);
    copy
}

#[derive(Clone, Copy)]
enum Color { Red, Green = 7, Blue = 200 }

struct Point { x: i32, y: i64, name: String }

#[derive(Clone, Copy)]
struct Pair { a: u32, b: i64 }

#[inline(never)]
fn ints(a: i8, b: u8, c: i16, d: u16, e: i32, f: u32, g: i64, h: u64, i: isize, j: usize) -> i64 {
    hidden((a as i64).wrapping_add(b as i64).wrapping_add(c as i64).wrapping_add(d as i64).wrapping_add(e as i64).wrapping_add(f as i64)
        .wrapping_add(g).wrapping_add(h as i64).wrapping_add(i as i64).wrapping_add(j as i64))
}
#[inline(never)]
fn kinds(yes: bool, c: char, color: Color, r: &i32) -> bool { hidden((yes, c, color, r)).0 }
#[inline(never)]
fn texts(s: &str, t: &String, bytes: &[u8], v: &Vec<u8>, words: &[u32]) -> usize { hidden((s, t, bytes, v, words)).0.len() }
#[inline(never)]
fn owned(s: String, v: Vec<u8>) -> usize { hidden((s, v)).0.len() }
#[inline(never)]
fn option(o: Option<u32>, n: u32) -> u32 { hidden((o, n)).1 }
#[inline(never)]
fn pairs(p: Pair, n: u8) -> Pair { hidden((p, n)).0 }
#[inline(never)]
fn rstr(s: &str) -> &str { hidden(&s[1..]) }
#[inline(never)]
fn rstring(n: usize) -> String { hidden("y".repeat(n)) }
#[inline(never)]
fn rchar(n: u32) -> char { hidden(char::from_u32('a' as u32 + n).unwrap()) }
#[inline(never)]
fn rcolor(n: u32) -> Color { hidden(if n & 1 == 1 { Color::Green } else { Color::Blue }) }
impl Point {
    #[inline(never)]
    fn method(&self, n: i32) { hidden(self.y + n as i64 + self.x as i64 + self.name.len() as i64); }
}

fn main() {
    let rounds: u32 = std::env::args().nth(1).map_or(2, |n| n.parse().unwrap());
    let mut said = String::new();
    for r in 0..rounds {
        for v in [0u64, 1, u64::MAX, 0xdeadbeef8000807f, 0xfedcba9876543210] {
            let v = hidden(v.wrapping_add(r as u64));
            let sum = hidden(ints as fn(_, _, _, _, _, _, _, _, _, _) -> _)(v as i8, v as u8, v as i16, v as u16, v as i32, v as u32, v as i64, v, v as isize, v as usize);
            writeln!(said, "arguments::ints({}, {}, {}, {}, {}, {}, {}, {}, {}, {}) = {};", v as i8, v as u8, v as i16, v as u16, v as i32, v as u32, v as i64, v, v as isize, v as usize, sum).unwrap();
        }
        hidden(kinds as fn(_, _, _, _) -> _)(r & 1 == 1, 'Z', if r & 1 == 1 { Color::Red } else { Color::Blue }, &(-5 - r as i32));
        writeln!(said, "arguments::kinds({}, 90, {}, {}) = {};", r & 1 == 1, if r & 1 == 1 { "Red" } else { "Blue" }, -5 - r as i32, r & 1 == 1).unwrap();
        let s = "é".repeat(10 + r as usize);
        hidden(texts as fn(&str, &String, &[u8], &Vec<u8>, &[u32]) -> usize)(&s[2..], &s, &[0, 1, 2, 255], &s.as_bytes().to_vec(), &[1, 2, 3]);
        writeln!(said, "arguments::texts(\"{}\", \"{}\", \"\\x00\\x01\\x02\\xff\", \"{}\", 3) = {};", &s[2..], s, s, s.len() - 2).unwrap();
        hidden(owned as fn(_, _) -> _)(s.clone(), vec![b'v'; 3]);
        writeln!(said, "arguments::owned(\"{}\", \"vvv\") = {};", s, s.len()).unwrap();
        hidden(option as fn(Option<u32>, u32) -> u32)(Some(4), r + 3);
        writeln!(said, "arguments::option() = {};", r + 3).unwrap();
        hidden(pairs as fn(Pair, u8) -> Pair)(Pair { a: 7 + r, b: -1 - r as i64 }, 9);
        writeln!(said, "arguments::pairs({}, {}, 9) = ({}, {});", 7 + r, -1 - r as i64, 7 + r, -1 - r as i64).unwrap();
        hidden(rstr as fn(_) -> _)(&"text that is returned"[..10 + r as usize]);
        writeln!(said, "arguments::rstr(\"{}\") = \"{}\";", &"text that is returned"[..10 + r as usize], &"text that is returned"[1..10 + r as usize]).unwrap();
        hidden(rstring as fn(_) -> _)(3 + r as usize);
        writeln!(said, "arguments::rstring({}) = \"{}\";", 3 + r, "y".repeat(3 + r as usize)).unwrap();
        hidden(rchar as fn(_) -> _)(r);
        writeln!(said, "arguments::rchar({}) = {};", r, 97 + r).unwrap();
        hidden(rcolor as fn(_) -> _)(r);
        writeln!(said, "arguments::rcolor({}) = {};", r, if r & 1 == 1 { "Green" } else { "Blue" }).unwrap();
        let p = Point { x: 5, y: -6 - r as i64, name: "point".into() };
        hidden(Point::method as fn(_, _) -> _)(&p, 3);
        writeln!(said, "arguments::Point::method(5, {}, \"point\", 3);", p.y).unwrap();
    }
    print!("{said}");
}
