//! What BTF shows: the fields the programs read, the bits they test, the reasons the kernel gives.

use observer_ebpf::Field as KernelField;

use super::report::{Check, Field};
use crate::kernel::{FieldFound, Survey};

/// Judges a BTF file that could be read.
pub(crate) fn checks(survey: &Survey) -> Vec<Check> {
    vec![fields(survey), flags(survey), reasons(survey)]
}

/// The fields for the report.
pub(crate) fn rows(survey: &Survey) -> Vec<Field> {
    let row = |one: &FieldFound| Field {
        name: one.field.name,
        container: one.field.container,
        path: one.field.path,
        width: one.field.width,
        required: one.field.required,
        found: one.offset.is_some(),
        offset: one.offset,
        needed_for: one.field.needed_for,
    };
    survey.fields.iter().map(row).collect()
}

/// Whether everything is there without which nothing can be observed.
pub(crate) fn suffices(survey: &Survey) -> bool {
    missing(survey).iter().all(|field| !field.required) && survey.unknown_flag.is_none()
}

fn missing(survey: &Survey) -> Vec<&'static KernelField> {
    survey.fields.iter().filter(|one| one.offset.is_none()).map(|one| one.field).collect()
}

fn fields(survey: &Survey) -> Check {
    const NAME: &str = "fields";
    let missing = missing(survey);
    let (total, found) = (survey.fields.len(), survey.fields.len() - missing.len());
    if missing.is_empty() {
        return Check::ok(NAME, format!("all {total} kernel fields found"));
    }
    let costs: Vec<String> = missing.iter().map(|field| cost(field)).collect();
    let detail = format!("{found} of {total} kernel fields found; {}", costs.join("; "));
    if missing.iter().any(|field| field.required) {
        let remedy = "this kernel is not supported; please report it with this output and that of `uname -r`";
        Check::failed(NAME, detail, remedy)
    } else {
        Check::limited(NAME, detail)
    }
}

fn cost(field: &KernelField) -> String {
    let KernelField { container, path, width, needed_for, .. } = field;
    let bytes = if *width == 1 { "byte" } else { "bytes" };
    if field.required {
        format!(
            "no {container}.{path} of {width} {bytes}, which is needed for {needed_for}: nothing can be observed \
             without it"
        )
    } else {
        format!("no {container}.{path} of {width} {bytes}, which costs {needed_for}")
    }
}

fn flags(survey: &Survey) -> Check {
    const NAME: &str = "sk_flags";
    match &survey.unknown_flag {
        None => Check::ok(NAME, "the bits of FIN, SO_LINGER and orphaned sockets are known"),
        Some(error) => Check::failed(NAME, error.as_str(), "this kernel is not supported; please report it"),
    }
}

fn reasons(survey: &Survey) -> Check {
    const NAME: &str = "reasons";
    if survey.tells_reason {
        return Check::ok(NAME, format!("the kernel says why it resets: {} reasons, by name", survey.reason_names));
    }
    Check::limited(
        NAME,
        "this kernel gives no reset reasons (they came with 6.10): causes are predicted only, and the tracepoint plan does \
         not see RSTs without a full socket",
    )
}

#[cfg(test)]
mod tests {
    use observer_ebpf::FIELDS;

    use super::{super::report::State, *};

    fn survey_without(name: &str) -> Survey {
        let offset = |field: &KernelField| (field.name != name).then_some(8);
        let fields = FIELDS.iter().map(|field| FieldFound { field, offset: offset(field) });
        Survey { fields: fields.collect(), unknown_flag: None, reason_names: 26, tells_reason: true }
    }

    #[test]
    fn a_missing_optional_field_is_a_limit_that_says_what_it_costs() {
        let survey = survey_without("bytes_received");
        let check = fields(&survey);
        assert_eq!(check.state, State::Limited);
        let expected = format!(
            "{} of {} kernel fields found; no tcp_sock.bytes_received of 8 bytes, which costs tcp.received_bytes",
            FIELDS.len() - 1,
            FIELDS.len()
        );
        assert_eq!(check.detail, expected);
        assert!(suffices(&survey));
    }

    #[test]
    fn a_missing_required_field_fails() {
        let survey = survey_without("copied_seq");
        let check = fields(&survey);
        assert_eq!(check.state, State::Failed);
        assert!(check.detail.contains("no tcp_sock.copied_seq of 4 bytes, which is needed for unread bytes"));
        assert!(check.remedy.is_some() && !suffices(&survey));
    }

    #[test]
    fn every_field_is_reported_with_its_offset_or_none() {
        let rows = rows(&survey_without("rcv_nxt"));
        assert_eq!(rows.len(), FIELDS.len());
        assert!(rows.iter().all(|row| row.found == row.offset.is_some() && row.found == (row.name != "rcv_nxt")));
    }

    #[test]
    fn a_kernel_without_reasons_is_limited() {
        let survey = Survey { tells_reason: false, ..survey_without("") };
        assert_eq!(reasons(&survey).state, State::Limited);
    }
}
